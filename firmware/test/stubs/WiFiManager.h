#pragma once
#include <functional>
#include <memory>

#include "Arduino.h"
class WebServer {
 public:
  String arg(const String& name);
};
class WiFiManagerParameter {
 public:
  explicit WiFiManagerParameter(const char* html);
  WiFiManagerParameter(const char* id, const char* label, const char* value, int length,
                       const char* attributes);
};
class WiFiManager {
 public:
  void setDebugOutput(bool on);
  void setConfigPortalBlocking(bool on);
  void setConfigPortalTimeout(unsigned long seconds);
  void setSaveConnect(bool on);
  void setSaveConnectTimeout(unsigned long seconds);
  void setShowInfoUpdate(bool on);
  void setTitle(String title);
  void setSaveParamsCallback(std::function<void()> call);
  bool addParameter(WiFiManagerParameter* parameter);
  bool startConfigPortal(const char* name, const char* password);
  bool process();
  std::unique_ptr<WebServer> server;
};
