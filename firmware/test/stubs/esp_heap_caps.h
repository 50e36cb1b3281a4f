#pragma once
#include <stddef.h>
#include <stdint.h>
#define MALLOC_CAP_8BIT (1 << 2)
#define MALLOC_CAP_SPIRAM (1 << 10)
void* heap_caps_malloc(size_t size, uint32_t caps);
void* heap_caps_malloc_prefer(size_t size, size_t count, ...);
size_t heap_caps_get_free_size(uint32_t caps);
