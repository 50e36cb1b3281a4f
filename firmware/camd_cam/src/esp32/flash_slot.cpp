#include "flash_slot.h"

#include <Update.h>
#include <esp_ota_ops.h>

#include "watchdog.h"

// The core asks this before setup(), and would mark a new firmware valid at
// once. It looks for the name as C has it.
extern "C" bool verifyRollbackLater() { return true; }

namespace camd {

bool FlashSlot::begin(uint32_t size) { return Update.begin(size, U_FLASH); }

bool FlashSlot::write(const uint8_t* data, size_t size) {
  // Erasing a sector takes its time.
  feed_watchdog();
  return Update.write(const_cast<uint8_t*>(data), size) == size;
}

bool FlashSlot::finish() { return Update.end(); }

void FlashSlot::abandon() { Update.abort(); }

bool FlashSlot::on_trial() {
  esp_ota_img_states_t state;
  const esp_partition_t* running = esp_ota_get_running_partition();
  return esp_ota_get_state_partition(running, &state) == ESP_OK &&
         state == ESP_OTA_IMG_PENDING_VERIFY;
}

void FlashSlot::keep() { esp_ota_mark_app_valid_cancel_rollback(); }

void FlashSlot::roll_back() { esp_ota_mark_app_invalid_rollback_and_reboot(); }

}  // namespace camd
