#pragma once

#ifndef CAMD_FIRMWARE
#define CAMD_FIRMWARE "camd_cam 1.0"
#endif
