/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as people read them. */
#ifndef TCGRR_STORE_NUMBER_H
#define TCGRR_STORE_NUMBER_H

#include <stdint.h>

/* 1234567 → "1,234,567", whatever the locale; owned by the caller. */
char *tcgrr_number_text(uint64_t number);

#endif
