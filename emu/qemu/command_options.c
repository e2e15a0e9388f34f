/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/command_options.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "store/error.h"

#define NESTING_MAX 16

/*
 * Option names, each with a space on both sides.
 * System emulators' options that take a value.
 */
static const char with_value[] =
    " D L M accel acpitable action add-fd alt-grab append audio audiodev balloon bios blockdev boot bt"
    " cdrom chardev chroot clock compat cpu d debugcon device dfilter display drive dtb dump-vmstate echr"
    " fda fdb fsdev fw_cfg g gdb global hda hdb hdc hdd icount incoming initrd iscsi k kernel loadvm m"
    " machine mem-path mon monitor msg mtdblock name net netdev nic numa object option-rom overcommit"
    " parallel pflash pidfile plugin prom-env qmp qmp-pretty qtest qtest-log readconfig realtime rotate"
    " rtc run-with runas sandbox sd seed semihosting-config serial set shim smbios smp soundhw spice"
    " startdate tb-size tpmdev trace usbdevice uuid vga virtfs virtioconsole vnc watchdog watchdog-action"
    " writeconfig xen-domid ";

/* System emulators' options without a value. */
static const char without_value[] =
    " S async-teardown audio-help ctrl-grab curses daemonize enable-fips enable-hax enable-kvm"
    " enable-sync-profile full-screen h help jitdump localtime mem-prealloc no-acpi no-fd-bootchk no-frame"
    " no-hpet no-kvm no-quit no-reboot no-shutdown no-user-config nodefaults nographic nouserconfig"
    " old-param one-insn-per-tb only-migratable perfmap portrait preconfig s sdl semihosting show-cursor"
    " singlestep snapshot usb version win2k-hack xen-attach xen-domid-restrict ";

/* User-mode emulators' options that take a value. */
static const char user_with_value[] = " 0 B D E L R U cpu d dfilter g p plugin r rtsig-map s seed t tb-size trace ";

/* Whether `name` is one of the words of `table`. */
static bool is_in(const char *name, const char *table)
{
    char *word = g_strdup_printf(" %s ", name);
    bool found = !strchr(name, ' ') && strstr(table, word);
    g_free(word);
    return found;
}

/* QEMU takes one dash or two. */
static const char *skip_dashes(const char *word)
{
    return word + (word[1] == '-' ? 2 : 1);
}

GArray *tcgrr_options_scan_system(const char *const *words)
{
    GArray *options = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_option));
    for (size_t i = 0; words[i];) {
        struct tcgrr_option option = {.name = "", .value = words[i], .first = i, .words = 1};
        const char *next = words[i + 1];
        if (words[i][0] == '-') {
            option.name = skip_dashes(words[i]);
            option.value = NULL;
            bool known = is_in(option.name, with_value);
            bool flag = !known && is_in(option.name, without_value);
            if (next && (known || (!flag && next[0] != '-'))) {
                option.value = next;
                option.words = 2;
            }
        }
        g_array_append_val(options, option);
        i += option.words;
    }
    return options;
}

size_t tcgrr_options_find_program(const char *const *words)
{
    size_t i = 0;
    while (words[i] && words[i][0] == '-') {
        bool value = is_in(skip_dashes(words[i]), user_with_value);
        i += value && words[i + 1] ? 2 : 1;
    }
    return i;
}

bool tcgrr_option_refuse(const struct tcgrr_option *option, GError **error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *reason = g_strdup_vprintf(format, list);
    va_end(list);
    bool named = option->name[0] != '\0';
    const char *value = option->value ? option->value : "";
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s%s%s%s: %s", named ? "-" : "", option->name,
                named && value[0] ? " " : "", value, reason);
    g_free(reason);
    return false;
}

static void free_suboption(gpointer data)
{
    struct tcgrr_suboption *suboption = data;
    g_free(suboption->key);
    g_free(suboption->value);
    g_free(suboption);
}

static void append(GPtrArray *suboptions, const char *key, const char *value)
{
    struct tcgrr_suboption *suboption = g_new(struct tcgrr_suboption, 1);
    suboption->key = g_strdup(key);
    suboption->value = g_strdup(value);
    g_ptr_array_add(suboptions, suboption);
}

static void append_json(GPtrArray *suboptions, const char *prefix, json_t *object, int depth)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        char *name = *prefix ? g_strconcat(prefix, ".", key, NULL) : g_strdup(key);
        if (json_is_object(value) && depth < NESTING_MAX) {
            append_json(suboptions, name, value, depth + 1);
        } else if (json_is_string(value)) {
            append(suboptions, name, json_string_value(value));
        } else if (json_is_boolean(value)) {
            append(suboptions, name, json_is_true(value) ? "on" : "off");
        } else if (json_is_integer(value)) {
            char *number = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
            append(suboptions, name, number);
            g_free(number);
        }
        g_free(name);
    }
}

/* Takes one comma-separated word off `*text`, with doubled commas made single. Owned by the caller. */
static char *take_word(const char **text)
{
    GString *word = g_string_new(NULL);
    const char *p = *text;
    for (; *p; p++) {
        if (*p == ',') {
            if (p[1] != ',') {
                p++;
                break;
            }
            p++;
        }
        g_string_append_c(word, *p);
    }
    *text = p;
    return g_string_free(word, FALSE);
}

GPtrArray *tcgrr_suboptions_parse(const char *text, const char *implied)
{
    GPtrArray *suboptions = g_ptr_array_new_with_free_func(free_suboption);
    if (text[0] == '{') {
        json_t *object = json_loads(text, 0, NULL);
        append_json(suboptions, "", object, 0);
        json_decref(object);
        return suboptions;
    }
    for (bool first = true; *text; first = false) {
        /* A '=' that comes after a comma belongs to a later word. */
        bool has_value = text[strcspn(text, "=,")] == '=';
        char *word = take_word(&text);
        char *equals = has_value ? strchr(word, '=') : NULL;
        if (equals) {
            *equals = '\0';
            append(suboptions, word, equals + 1);
        } else if (first && implied) {
            append(suboptions, implied, word);
        } else {
            append(suboptions, word, "on");
        }
        g_free(word);
    }
    return suboptions;
}

static struct tcgrr_suboption *find_last(const GPtrArray *suboptions, const char *key)
{
    for (guint i = suboptions->len; i > 0; i--) {
        struct tcgrr_suboption *suboption = suboptions->pdata[i - 1];
        if (strcmp(suboption->key, key) == 0) {
            return suboption;
        }
    }
    return NULL;
}

const char *tcgrr_suboptions_get(const GPtrArray *suboptions, const char *key)
{
    const struct tcgrr_suboption *suboption = find_last(suboptions, key);
    return suboption ? suboption->value : NULL;
}

void tcgrr_suboptions_set(GPtrArray *suboptions, const char *key, const char *value)
{
    struct tcgrr_suboption *suboption = find_last(suboptions, key);
    if (!suboption) {
        append(suboptions, key, value);
        return;
    }
    g_free(suboption->value);
    suboption->value = g_strdup(value);
}

char *tcgrr_suboptions_format(const GPtrArray *suboptions)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < suboptions->len; i++) {
        const struct tcgrr_suboption *suboption = suboptions->pdata[i];
        if (find_last(suboptions, suboption->key) == suboption) {
            char *value = tcgrr_options_escape(suboption->value);
            g_string_append_printf(text, "%s%s=%s", text->len > 0 ? "," : "", suboption->key, value);
            g_free(value);
        }
    }
    return g_string_free(text, FALSE);
}

char *tcgrr_options_escape(const char *text)
{
    GString *escaped = g_string_new(NULL);
    for (; *text; text++) {
        g_string_append(escaped, *text == ',' ? "," : "");
        g_string_append_c(escaped, *text);
    }
    return g_string_free(escaped, FALSE);
}
