#pragma once
#include "FreeRTOS.h"
typedef struct StubTask* TaskHandle_t;
BaseType_t xTaskCreatePinnedToCore(void (*code)(void*), const char* name, uint32_t stack,
                                   void* argument, UBaseType_t priority, TaskHandle_t* task,
                                   BaseType_t core);
void vTaskDelay(TickType_t ticks);
uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t wait);
BaseType_t xTaskNotifyGive(TaskHandle_t task);
