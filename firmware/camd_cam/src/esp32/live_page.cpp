#include "live_page.h"

#include <esp_timer.h>
#include <stdlib.h>
#include <string.h>

namespace camd {
namespace {

const char kPage[] =
    "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>camd</title><style>body{font:1em sans-serif;margin:1em;background:#111;color:#ddd}"
    "img{max-width:100%;min-height:10em;background:#222}a{color:#9cf}pre{white-space:pre-wrap}"
    "</style><img id=i alt=''><p><a href=/capture>one picture</a> <a id=s>stream</a></p>"
    "<form id=f><input name=var placeholder=setting> <input name=val placeholder=value> "
    "<button>set</button> <output id=o></output></form><pre id=p></pre><script>"
    "let i=document.getElementById('i'),n=()=>i.src='/capture?'+Date.now();"
    "i.onload=()=>setTimeout(n,300);i.onerror=()=>setTimeout(n,3000);n();"
    "s.href='http://'+location.hostname+':81/stream';"
    "let t=()=>fetch('/status').then(r=>r.json()).then(j=>p.textContent="
    "JSON.stringify(j,null,1)).catch(()=>0).then(()=>setTimeout(t,5000));t();"
    "f.onsubmit=e=>{e.preventDefault();fetch('/control?'+new URLSearchParams(new FormData(f)))"
    ".then(r=>o.value=r.ok?'kept':'refused')}</script>";

esp_err_t answer(httpd_req_t* request, const char* status, const char* text) {
  httpd_resp_set_status(request, status);
  httpd_resp_set_type(request, "text/plain");
  return httpd_resp_send(request, text, ssize_t(strlen(text)));
}

esp_err_t busy(httpd_req_t* request) {
  return answer(request, "503 Service Unavailable", "busy\n");
}

// What a web page from elsewhere made the browser ask, with the password that
// the browser remembers.
bool from_elsewhere(httpd_req_t* request) {
  char site[16];
  return httpd_req_get_hdr_value_str(request, "Sec-Fetch-Site", site, sizeof site) == ESP_OK &&
         Text(site) == "cross-site";
}

}  // namespace

LivePage& LivePage::of(httpd_req_t* request) { return *static_cast<LivePage*>(request->user_ctx); }

// The loop's side.

void LivePage::step(uint64_t now, bool network, Board& board, System& system) {
  bool wanted = board.settings().page && network;
  if (!wanted) return stop();
  if (pages_ == nullptr) {
    if (now < refresh_at_) return;
    refresh(board, system);
    start();
    refresh_at_ = now + kRefreshMs;
    return;
  }
  Wish wish;
  if (xQueueReceive(wishes_, &wish, 0) == pdTRUE) {
    // Whoever has the page's password has not proved to be camd.
    Answer answer = {wish.id, board.set(wish.name, wish.value, Origin::kAnyone)};
    xQueueOverwrite(answers_, &answer);
    refresh_at_ = now;
  }
  if (now < refresh_at_) return;
  refresh_at_ = now + kRefreshMs;
  refresh(board, system);
}

void LivePage::refresh(Board& board, System& system) {
  if (lock_ == nullptr) lock_ = xSemaphoreCreateMutex();
  Standing standing = Standing();
  standing.firmware = system.firmware();
  standing.model = system.model();
  standing.reset = system.reset_reason();
  standing.uptime_s = uint64_t(esp_timer_get_time()) / 1000000;
  system.measure(&standing.readings);
  standing.queued = board.queued();
  standing.lost = board.lost();
  standing.connected = board.connected();
  // A page that is being answered keeps the old text for another second.
  if (lock_ == nullptr || xSemaphoreTake(lock_, 0) != pdTRUE) return;
  Writer out(status_, sizeof status_);
  write_status(out, board.settings(), standing);
  status_size_ = out.full() ? 0 : out.size();
  memcpy(password_, board.settings().password, sizeof password_);
  xSemaphoreGive(lock_);
}

bool LivePage::start() {
  if (wishes_ == nullptr) wishes_ = xQueueCreate(1, sizeof(Wish));
  if (answers_ == nullptr) answers_ = xQueueCreate(1, sizeof(Answer));
  bool ready = lock_ != nullptr && wishes_ != nullptr && answers_ != nullptr && viewers_.begin();
  if (ready && serve(&pages_, 80, 32768, false) && serve(&streams_, 81, 32769, true)) return true;
  stop();
  return false;
}

void LivePage::stop() {
  if (streams_ != nullptr) httpd_stop(streams_);
  streams_ = nullptr;
  if (pages_ != nullptr) httpd_stop(pages_);
  pages_ = nullptr;
}

bool LivePage::serve(httpd_handle_t* server, uint16_t port, uint16_t control_port, bool streams) {
  httpd_config_t config = HTTPD_DEFAULT_CONFIG();
  config.server_port = port;
  config.ctrl_port = control_port;
  config.max_open_sockets = streams ? Viewers::kMost + 1 : 3;
  config.send_wait_timeout = 3;
  config.recv_wait_timeout = 3;
  // A browser's idle connections make room. A viewer's are not idle.
  config.lru_purge_enable = !streams;
  if (streams) {
    config.global_user_ctx = &viewers_;
    config.global_user_ctx_free_fn = [](void*) {};
    config.close_fn = Viewers::on_close;
  }
  if (httpd_start(server, &config) != ESP_OK) {
    *server = nullptr;
    return false;
  }
  static const struct {
    const char* path;
    esp_err_t (*handler)(httpd_req_t*);
    bool streams;
  } kRoutes[] = {{"/", on_root, false},
                 {"/capture", on_capture, false},
                 {"/status", on_status, false},
                 {"/control", on_control, false},
                 {"/stream", on_stream, true}};
  for (const auto& route : kRoutes) {
    if (route.streams != streams) continue;
    httpd_uri_t uri = {};
    uri.uri = route.path;
    uri.method = HTTP_GET;
    uri.handler = route.handler;
    uri.user_ctx = this;
    if (httpd_register_uri_handler(*server, &uri) != ESP_OK) return false;
  }
  return true;
}

// The servers' side.

LivePage::Access LivePage::admit(httpd_req_t* request) {
  char password[sizeof password_];
  if (xSemaphoreTake(lock_, pdMS_TO_TICKS(kLockMs)) != pdTRUE) {
    busy(request);
    return Access::kAnswered;
  }
  memcpy(password, password_, sizeof password);
  xSemaphoreGive(lock_);
  char header[224] = "";
  httpd_req_get_hdr_value_str(request, "Authorization", header, sizeof header);
  if (authorized(header, password)) return Access::kGranted;
  httpd_resp_set_hdr(request, "WWW-Authenticate", "Basic realm=\"camd\"");
  answer(request, "401 Unauthorized", "password\n");
  return Access::kAnswered;
}

esp_err_t LivePage::on_root(httpd_req_t* request) {
  if (of(request).admit(request) != Access::kGranted) return ESP_OK;
  httpd_resp_set_type(request, "text/html; charset=utf-8");
  return httpd_resp_send(request, kPage, sizeof kPage - 1);
}

esp_err_t LivePage::on_capture(httpd_req_t* request) {
  LivePage& page = of(request);
  if (page.admit(request) != Access::kGranted) return ESP_OK;
  Picture picture;
  if (!page.sensor_.copy(kPictureMs, &picture)) return busy(request);
  httpd_resp_set_type(request, "image/jpeg");
  httpd_resp_set_hdr(request, "Cache-Control", "no-store");
  esp_err_t result =
      httpd_resp_send(request, reinterpret_cast<const char*>(picture.data), ssize_t(picture.size));
  free(const_cast<uint8_t*>(picture.data));
  return result;
}

esp_err_t LivePage::on_status(httpd_req_t* request) {
  LivePage& page = of(request);
  if (page.admit(request) != Access::kGranted) return ESP_OK;
  httpd_resp_set_type(request, "application/json");
  if (xSemaphoreTake(page.lock_, pdMS_TO_TICKS(kLockMs)) != pdTRUE) return busy(request);
  // Sent from a copy: a slow reader is not to hold the lock.
  size_t size = page.status_size_;
  char* copy = static_cast<char*>(malloc(size + 1));
  if (copy != nullptr) memcpy(copy, page.status_, size);
  xSemaphoreGive(page.lock_);
  if (copy == nullptr) return busy(request);
  esp_err_t result = httpd_resp_send(request, copy, ssize_t(size));
  free(copy);
  return result;
}

bool LivePage::wish(const Wish& wish, SetResult* result) {
  if (xQueueSend(wishes_, &wish, pdMS_TO_TICKS(kWishMs)) != pdTRUE) return false;
  Answer answer;
  // The answer to a wish that was given up on earlier may come first.
  for (int i = 0; i < 2; ++i) {
    if (xQueueReceive(answers_, &answer, pdMS_TO_TICKS(kWishMs)) != pdTRUE) return false;
    if (answer.id != wish.id) continue;
    *result = answer.result;
    return true;
  }
  return false;
}

esp_err_t LivePage::on_control(httpd_req_t* request) {
  LivePage& page = of(request);
  if (page.admit(request) != Access::kGranted) return ESP_OK;
  if (from_elsewhere(request)) return answer(request, "403 Forbidden", "from elsewhere\n");
  char query[160];
  Wish wish;
  bool good = httpd_req_get_url_query_str(request, query, sizeof query) == ESP_OK &&
              query_value(query, "var", wish.name, sizeof wish.name) &&
              query_value(query, "val", wish.value, sizeof wish.value);
  if (!good) return answer(request, "404 Not Found", "var and val\n");
  wish.id = ++page.wish_id_;
  SetResult result;
  if (!page.wish(wish, &result)) return busy(request);
  if (result == SetResult::kOk) return httpd_resp_send(request, "", 0);
  return answer(request, "500 Internal Server Error", set_result_name(result));
}

esp_err_t LivePage::on_stream(httpd_req_t* request) {
  LivePage& page = of(request);
  if (page.admit(request) != Access::kGranted) return ESP_OK;
  if (!page.viewers_.has_room()) return busy(request);
  static const char kHead[] =
      "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=" CAMD_BOUNDARY
      "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (httpd_send(request, kHead, sizeof kHead - 1) != int(sizeof kHead - 1)) return ESP_FAIL;
  return page.viewers_.add(request->handle, httpd_req_to_sockfd(request)) ? ESP_OK : ESP_FAIL;
}

}  // namespace camd
