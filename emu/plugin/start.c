/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/start.h"

#include "emu/plugin/inputs_internal.h"
#include "emu/plugin/sample.h"

/* More than the initial content of any program's stack. */
#define START_WORDS (1u << 17)

/*
 * Reads the words on the program's initial stack: argc, argv, a zero, the environment, a zero, the auxiliary vector up
 * to a pair that begins with a zero. Returns the number of words; 0 if they cannot be read.
 */
static size_t read_start(const struct tcgrr_inputs *inputs, uint64_t at, uint64_t words[START_WORDS])
{
    unsigned zeros = 0;

    for (size_t i = 0;
         i < START_WORDS && tcgrr_inputs_read_memory(inputs, at + i * sizeof(*words), &words[i], sizeof(*words)); i++) {
        bool in_auxv = zeros >= 2;
        if (in_auxv) { /* pairs */
            if (words[i] == 0) {
                return i;
            }
            i++;
            if (i == START_WORDS ||
                !tcgrr_inputs_read_memory(inputs, at + i * sizeof(*words), &words[i], sizeof(*words))) {
                return 0;
            }
        } else {
            zeros += i > 0 && words[i] == 0;
        }
    }
    return 0;
}

void tcgrr_start_digest(void)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    struct tcgrr_sampling *sampling = &tcgrr_plugin.sampling;
    g_autofree uint64_t *words = inputs && inputs->reads ? g_new(uint64_t, START_WORDS) : NULL;
    uint64_t at = words ? tcgrr_inputs_get_register(inputs, inputs->stack) : 0;
    size_t count = words ? read_start(inputs, at, words) : 0;
    uint64_t end = at + count * sizeof(*words), last = end;

    for (size_t i = 0; i < count; i++) {
        tcgrr_sampling_add_store(sampling, at + i * sizeof(*words), QEMU_PLUGIN_MEM_VALUE_U64, words[i], 0);
        last = words[i] > last && words[i] < end + START_WORDS * sizeof(*words) ? words[i] : last;
    }
    for (uint8_t byte = 1; count > 0 && (end <= last || byte != 0);
         end++) { /* strings and other data that the words point to */
        if (!tcgrr_inputs_read_memory(inputs, end, &byte, sizeof(byte))) {
            break;
        }
        tcgrr_sampling_add_store(sampling, end, QEMU_PLUGIN_MEM_VALUE_U8, byte, 0);
    }
}
