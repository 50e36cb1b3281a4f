#include "viewers.h"

#include <Arduino.h>
#include <errno.h>
#include <lwip/sockets.h>
#include <stdio.h>
#include <stdlib.h>

namespace camd {

bool Viewers::begin() {
  if (lock_ == nullptr) lock_ = xSemaphoreCreateMutex();
  if (lock_ == nullptr) return false;
  if (task_ != nullptr) return true;
  if (xTaskCreatePinnedToCore(run, "viewers", kStack, this, 1, &task_, 0) == pdPASS) return true;
  task_ = nullptr;
  return false;
}

bool Viewers::has_room() {
  if (!lock()) return false;
  bool room = false;
  for (int socket : sockets_) room = room || socket < 0;
  unlock();
  return room;
}

bool Viewers::any() {
  if (!lock()) return false;
  bool found = false;
  for (int socket : sockets_) found = found || socket >= 0;
  unlock();
  return found;
}

bool Viewers::add(httpd_handle_t server, int socket) {
  if (!lock()) return false;
  bool added = false;
  for (int& place : sockets_) {
    if (place >= 0 || added) continue;
    place = socket;
    added = true;
  }
  server_ = server;
  unlock();
  if (added) xTaskNotifyGive(task_);
  return added;
}

// The number may be another connection's as soon as it is closed, so it is
// taken off the list first.
void Viewers::on_close(httpd_handle_t server, int socket) {
  Viewers* self = static_cast<Viewers*>(httpd_get_global_user_ctx(server));
  bool locked = self->lock();
  for (int& place : self->sockets_) {
    if (place == socket) place = -1;
  }
  if (locked) self->unlock();
  lwip_close(socket);
}

void Viewers::run(void* self) {
  Viewers& viewers = *static_cast<Viewers*>(self);
  for (;;) {
    if (!viewers.any()) {
      ulTaskNotifyTake(pdTRUE, pdMS_TO_TICKS(1000));
      continue;
    }
    Picture picture;
    if (viewers.sensor_.copy(kPictureMs, &picture)) {
      viewers.show(picture);
      free(const_cast<uint8_t*>(picture.data));
    }
    // Between two pictures the camera is free for the photos.
    vTaskDelay(pdMS_TO_TICKS(kEveryMs));
  }
}

void Viewers::show(const Picture& picture) {
  char head[160];
  int size =
      snprintf(head, sizeof head,
               "\r\n--" CAMD_BOUNDARY "\r\nContent-Type: image/jpeg\r\nContent-Length: %u\r\n\r\n",
               unsigned(picture.size));
  for (int& place : sockets_) {
    if (!lock()) return;
    int socket = place;
    if (socket >= 0) {
      uint32_t began = millis();
      bool good = send_all(socket, head, size_t(size), began) &&
                  send_all(socket, picture.data, picture.size, began);
      if (!good) {
        place = -1;
        httpd_sess_trigger_close(server_, socket);
      }
    }
    unlock();
  }
}

bool Viewers::send_all(int socket, const void* data, size_t size, uint32_t began) {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  while (size > 0) {
    ssize_t taken = lwip_send(socket, from, size, MSG_DONTWAIT);
    if (taken > 0) {
      from += taken;
      size -= size_t(taken);
      continue;
    }
    bool full = taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (!full || millis() - began >= kSendMs) return false;
    vTaskDelay(pdMS_TO_TICKS(5));
  }
  return true;
}

}  // namespace camd
