#pragma once
#include <stddef.h>
typedef enum { MBEDTLS_MD_NONE, MBEDTLS_MD_SHA256 = 6 } mbedtls_md_type_t;
typedef struct mbedtls_md_info_t mbedtls_md_info_t;
typedef struct {
  const mbedtls_md_info_t* info;
  void* state;
  void* hmac;
} mbedtls_md_context_t;
const mbedtls_md_info_t* mbedtls_md_info_from_type(mbedtls_md_type_t type);
void mbedtls_md_init(mbedtls_md_context_t* context);
int mbedtls_md_setup(mbedtls_md_context_t* context, const mbedtls_md_info_t* info, int hmac);
int mbedtls_md_starts(mbedtls_md_context_t* context);
int mbedtls_md_update(mbedtls_md_context_t* context, const unsigned char* data, size_t size);
int mbedtls_md_finish(mbedtls_md_context_t* context, unsigned char* digest);
int mbedtls_md_hmac_starts(mbedtls_md_context_t* context, const unsigned char* key, size_t size);
int mbedtls_md_hmac_update(mbedtls_md_context_t* context, const unsigned char* data, size_t size);
int mbedtls_md_hmac_finish(mbedtls_md_context_t* context, unsigned char* digest);
