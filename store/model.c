/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/model.h"

#define EVENT_NAME(id, name) name,
static const char *const event_names[] = {TCGRR_EVENT_KINDS(EVENT_NAME)};

const char *tcgrr_event_name(enum tcgrr_event_kind kind)
{
    return event_names[kind];
}
