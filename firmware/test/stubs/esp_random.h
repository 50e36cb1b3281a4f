#pragma once
#include "esp_random_calls.h"
