#pragma once
#include "FreeRTOS.h"
typedef struct StubQueue* QueueHandle_t;
QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size);
BaseType_t xQueueSend(QueueHandle_t queue, const void* item, TickType_t wait);
BaseType_t xQueueOverwrite(QueueHandle_t queue, const void* item);
BaseType_t xQueueReceive(QueueHandle_t queue, void* item, TickType_t wait);
