/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/model.h"

#include <string.h>

#define LEVEL_NAME(id, name) name,
static const char *const level_names[] = {TCGRR_LEVELS(LEVEL_NAME)};

const char *tcgrr_level_name(enum tcgrr_level level)
{
    return level_names[level];
}

bool tcgrr_level_of(const char *name, enum tcgrr_level *level)
{
    for (unsigned i = 0; name && i < TCGRR_LEVEL_COUNT; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = i;
            return true;
        }
    }
    return false;
}

#define EVENT_NAME(id, name) name,
static const char *const event_names[] = {TCGRR_EVENT_KINDS(EVENT_NAME)};

const char *tcgrr_event_name(enum tcgrr_event_kind kind)
{
    return event_names[kind];
}

bool tcgrr_event_kind_of(const char *name, uint8_t *kind)
{
    for (unsigned i = 0; name && i < TCGRR_EVENT_KIND_COUNT; i++) {
        if (strcmp(name, event_names[i]) == 0) {
            *kind = (uint8_t)i;
            return true;
        }
    }
    return false;
}
