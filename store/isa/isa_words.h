/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short words for the tables of instructions; only for the isa_*.c that have some. */
#ifndef TCGRR_ISA_WORDS_H
#define TCGRR_ISA_WORDS_H

#include "store/isa/isa_internal.h"

#define NEVER   TCGRR_LEAVE_NEVER
#define MEMORY  TCGRR_LEAVE_MEMORY
#define SYSTEM  TCGRR_LEAVE_SYSTEM
#define TRAP    TCGRR_LEAVE_TRAP
#define UNKNOWN TCGRR_LEAVE_UNKNOWN

#define NEXT     TCGRR_FLOW_NEXT
#define JUMP     TCGRR_FLOW_JUMP
#define BRANCH   TCGRR_FLOW_BRANCH
#define INDIRECT TCGRR_FLOW_INDIRECT

#define NONE   TCGRR_ACCESS_NONE
#define READ   TCGRR_ACCESS_READ
#define WRITE  TCGRR_ACCESS_WRITE
#define EITHER TCGRR_ACCESS_EITHER

#define FIND(rows, word) tcgrr_isa_find(rows, sizeof(rows) / sizeof((rows)[0]), word)

#endif
