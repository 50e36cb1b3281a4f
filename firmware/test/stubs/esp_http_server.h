#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "esp_err.h"
typedef void* httpd_handle_t;
typedef enum { HTTP_GET = 1 } httpd_method_t;
typedef struct {
  httpd_handle_t handle;
  void* user_ctx;
} httpd_req_t;
typedef struct {
  const char* uri;
  httpd_method_t method;
  esp_err_t (*handler)(httpd_req_t* request);
  void* user_ctx;
} httpd_uri_t;
typedef struct {
  uint16_t server_port;
  uint16_t ctrl_port;
  uint16_t max_open_sockets;
  bool lru_purge_enable;
  uint16_t recv_wait_timeout;
  uint16_t send_wait_timeout;
  void* global_user_ctx;
  void (*global_user_ctx_free_fn)(void* context);
  void (*close_fn)(httpd_handle_t server, int socket);
} httpd_config_t;
#define HTTPD_DEFAULT_CONFIG() \
  { 80, 32768, 7, false, 5, 5, nullptr, nullptr, nullptr }
esp_err_t httpd_start(httpd_handle_t* server, const httpd_config_t* config);
esp_err_t httpd_stop(httpd_handle_t server);
esp_err_t httpd_register_uri_handler(httpd_handle_t server, const httpd_uri_t* uri);
esp_err_t httpd_resp_set_status(httpd_req_t* request, const char* status);
esp_err_t httpd_resp_set_type(httpd_req_t* request, const char* type);
esp_err_t httpd_resp_set_hdr(httpd_req_t* request, const char* name, const char* value);
esp_err_t httpd_resp_send(httpd_req_t* request, const char* data, ssize_t size);
esp_err_t httpd_req_get_hdr_value_str(httpd_req_t* request, const char* name, char* to,
                                      size_t room);
esp_err_t httpd_req_get_url_query_str(httpd_req_t* request, char* to, size_t room);
int httpd_req_to_sockfd(httpd_req_t* request);
int httpd_send(httpd_req_t* request, const char* data, size_t size);
esp_err_t httpd_sess_trigger_close(httpd_handle_t server, int socket);
void* httpd_get_global_user_ctx(httpd_handle_t server);
