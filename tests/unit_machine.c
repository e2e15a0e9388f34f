/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two sides agree on a machine: one has files that the other lacks, neither trusts the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lockstep/peer/machine.h"
#include "store/error.h"
#include "tests/check.h"

#define TIMEOUT_MS 20000
#define CLOCK      "base=2026-01-01T00:00:00,clock=vm"

/* One side; its QEMU is made up. CMakeLists.txt has tcgrr_pin() and tcgrr_pin_check() replaced. */
struct side {
    struct tcgrr_qemu qemu; /* must be first */
    const char *machine;    /* that it makes */
    const char *lacks;      /* a machine that it does not have */
    const char *file;       /* the name of a file; NULL: none */
    const char *role;
    const char *content;
    uint64_t size; /* of the file, with zeros at its end; 0: as long as its content */
    bool fails;
    struct tcgrr_agreed_machine agreed;
    struct tcgrr_peer *peer;
    bool listens;
    bool good;
    GError *error;
};

bool __wrap_tcgrr_pin(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
                      struct tcgrr_pins *pins, GError **error);
bool __wrap_tcgrr_pin_check(const struct tcgrr_qemu *qemu, const char *machine, const char *cpu, GError **error);

static void free_file(gpointer data)
{
    struct tcgrr_pin_file *file = data;
    g_free(file->name);
    g_free(file->role);
    g_free(file->path);
    g_free(file->content);
    g_free(file);
}

static void add_file(struct tcgrr_pins *pins, const struct side *side)
{
    struct tcgrr_pin_file *file = g_new0(struct tcgrr_pin_file, 1);

    file->name = g_strdup(side->file);
    file->role = g_strdup(side->role);
    file->path = g_strdup("");
    file->content = g_build_filename(pins->folder, side->file, NULL);
    assert_true(g_file_set_contents(file->content, side->content, -1, NULL));
    if (side->size > 0) {
        assert_int_equal(truncate(file->content, (off_t)side->size), 0);
    }
    g_ptr_array_add(pins->files, file);
}

bool __wrap_tcgrr_pin(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
                      struct tcgrr_pins *pins, GError **error)
{
    const struct side *side = (const struct side *)qemu;
    const char *words[] = {"-M", side->machine, "-cpu", "max", "-rtc", CLOCK, NULL};

    if (side->fails) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU does not make this machine");
        return false;
    }
    *pins = (struct tcgrr_pins){
        .words = g_strdupv((char **)words),
        .machine = g_strdup(side->machine),
        .cpu = g_strdup("max"),
        .clock = g_strdup(CLOCK),
        .folder = g_dir_make_tmp("tcgrr-test-XXXXXX", NULL),
        .files = g_ptr_array_new_with_free_func(free_file),
    };
    if (side->file) {
        add_file(pins, side);
    }
    return true;
}

bool __wrap_tcgrr_pin_check(const struct tcgrr_qemu *qemu, const char *machine, const char *cpu, GError **error)
{
    const struct side *side = (const struct side *)qemu;

    if (g_strcmp0(side->lacks, machine) == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "no machine %s with CPU %s", machine, cpu);
        return false;
    }
    return true;
}

/* ---- two sides ---- */

static gpointer agree(gpointer data)
{
    struct side *side = data;
    static const char *const arguments[] = {NULL};

    side->good =
        tcgrr_agreed_machine_agree(&side->agreed, side->peer, side->listens, &side->qemu, arguments, &side->error);
    if (side->good) {
        tcgrr_peer_finish(side->peer);
    } else {
        tcgrr_peer_give_up(side->peer, side->error);
    }
    return NULL;
}

static void begin(struct side sides[2])
{
    const struct tcgrr_peer_options options = {.timeout_ms = TIMEOUT_MS};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        sides[i].peer = tcgrr_peer_new(fds[i], &options);
        sides[i].listens = i == 0;
    }
}

static void end(struct side sides[2])
{
    for (int i = 0; i < 2; i++) {
        tcgrr_agreed_machine_clear(&sides[i].agreed);
        tcgrr_peer_free(sides[i].peer);
        g_clear_error(&sides[i].error);
    }
}

static void meet(struct side sides[2])
{
    begin(sides);
    GThread *other = g_thread_new("other", agree, &sides[1]);
    agree(&sides[0]);
    g_thread_join(other);
}

static void agrees_on(const struct side *side, int maker, const char *machine)
{
    check(side->good, side->error);
    assert_true(side->agreed.pinned);
    assert_int_equal(side->agreed.maker, maker);
    assert_string_equal(side->agreed.pins.machine, machine);
    assert_true(g_str_has_suffix(side->agreed.words[1], machine));
}

static void has_file(const struct side *side, const char *name, const char *content)
{
    g_autofree char *path = g_build_filename(side->agreed.pins.folder, name, NULL);
    g_autofree char *bytes = NULL;

    assert_true(g_file_get_contents(path, &bytes, NULL, NULL));
    assert_string_equal(bytes, content);
}

static void complains(const struct side *side, enum tcgrr_error_code code, const char *text)
{
    assert_false(side->good);
    assert_non_null(side->error);
    if (side->error->code != (int)code || !strstr(side->error->message, text)) {
        fail_msg("error %d: %s", side->error->code, side->error->message);
    }
}

static void test_files_are_sent(void **state)
{
    struct side sides[2] = {
        {.machine = "virt-10.0", .file = "bios.bin", .role = "firmware", .content = "their firmware"},
        {.machine = "virt-9.0", .file = "bios.bin", .role = "firmware", .content = "our own firmware"},
    };
    meet(sides);
    for (int i = 0; i < 2; i++) {
        agrees_on(&sides[i], 0, "virt-10.0");
        has_file(&sides[i], "bios.bin", "their firmware");
    }
    end(sides);
}

/* The listening side's machine is not there, so it is the other one's. */
static void test_other_machine(void **state)
{
    struct side sides[2] = {
        {.machine = "virt-10.0"},
        {.machine = "virt-9.0", .lacks = "virt-10.0", .file = "a.rom", .role = "rom", .content = "rom"},
    };
    meet(sides);
    for (int i = 0; i < 2; i++) {
        agrees_on(&sides[i], 1, "virt-9.0");
        has_file(&sides[i], "a.rom", "rom");
    }
    end(sides);
}

static void test_none(void **state)
{
    struct side sides[2] = {{.machine = "virt-10.0", .lacks = "virt-9.0"},
                            {.machine = "virt-9.0", .lacks = "virt-10.0"}};
    meet(sides);
    for (int i = 0; i < 2; i++) {
        complains(&sides[i], TCGRR_ERROR_FAILED, "no machine virt-10.0 with CPU max");
    }
    end(sides);
}

/* Without versions nothing is pinned, nor are files sent. */
static void test_no_versions(void **state)
{
    struct side sides[2] = {{.machine = "g3beige", .file = "a.rom", .role = "rom", .content = "one"},
                            {.machine = "g3beige", .file = "a.rom", .role = "rom", .content = "two"}};
    meet(sides);
    for (int i = 0; i < 2; i++) {
        check(sides[i].good, sides[i].error);
        assert_false(sides[i].agreed.pinned);
        assert_null(sides[i].agreed.words);
    }
    has_file(&sides[1], "a.rom", "two");
    end(sides);
}

static void test_differences(void **state)
{
    static const struct {
        struct side sides[2];
        int whose;
        const char *text;
    } cases[] = {
        {{{.machine = "virt-10.0"}, {.machine = "q35-10.0"}}, 1, "the two sides make different machines: q35-10.0"},
        {{{.machine = "virt-10.0", .file = "disk", .role = "rom", .content = "rom"},
          {.machine = "virt-10.0", .file = "disk", .role = "disk", .content = "disk"}},
         1,
         "disk is a file of this side's user, and one of QEMU's on the other side: rename it"},
        {{{.machine = "virt-10.0", .fails = true}, {.machine = "virt-10.0"}}, 0, "QEMU does not make this machine"},
        {{{.machine = "virt-10.0"}, {.machine = "virt-10.0", .fails = true}}, 1, "QEMU does not make this machine"},
        {{{.machine = "virt-10.0", .file = "big", .role = "rom", .content = "x", .size = TCGRR_MAX_MACHINE_FILE + 1},
          {.machine = "virt-10.0"}},
         0,
         "big: it is too large, or one file too many"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct side sides[2] = {cases[i].sides[0], cases[i].sides[1]};
        meet(sides);
        complains(&sides[cases[i].whose], TCGRR_ERROR_FAILED, cases[i].text);
        if (cases[i].sides[0].file && cases[i].whose == 1) {
            check(sides[0].good, sides[0].error); /* it has sent all, and will be told later */
        } else {
            complains(&sides[!cases[i].whose], TCGRR_ERROR_FAILED, cases[i].text); /* it was told */
        }
        end(sides);
    }
}

/* ---- the other side is not what it should be ---- */

/* What a listener would send. */
struct forged {
    const char *machine;
    const char *cpu;
    const char *name; /* of a file with the content "rom"; NULL: none */
    const char *sent; /* as its content; NULL: an answer instead */
    const char *text; /* of the error at the other end */
    enum tcgrr_error_code code;
};

static void send_message(struct side *side, enum tcgrr_message_type type, const GByteArray *payload)
{
    GError *error = NULL;
    check(tcgrr_peer_send(side->peer, type, payload, &error), error);
}

/* With tcgrr_content_digest() of "rom". */
static void send_machine(struct side *side, const struct forged *forged)
{
    struct tcgrr_machine machine = {.clock = CLOCK,
                                    .files = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_machine_file))};
    g_autoptr(GByteArray) payload = g_byte_array_new();

    g_strlcpy(machine.machine, forged->machine, sizeof(machine.machine));
    g_strlcpy(machine.cpu, forged->cpu, sizeof(machine.cpu));
    if (forged->name) {
        struct tcgrr_machine_file file = {.role = "rom"};
        g_autofree char *path = g_build_filename(side->agreed.pins.folder, "a.rom", NULL);
        g_autofree char *digest = tcgrr_content_digest(path, &file.size, NULL);
        g_strlcpy(file.name, forged->name, sizeof(file.name));
        g_strlcpy(file.xxh128, digest, sizeof(file.xxh128));
        g_array_append_val(machine.files, file);
    }
    tcgrr_put_machine(payload, &machine);
    send_message(side, TCGRR_MESSAGE_MACHINE, payload);
    g_array_unref(machine.files);
}

static gpointer forge(gpointer data)
{
    struct side *side = ((gpointer *)data)[0];
    const struct forged *forged = ((gpointer *)data)[1];
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;

    send_machine(side, forged);
    if (!tcgrr_peer_receive(side->peer, &message, NULL)) {
        return NULL; /* refused */
    }
    if (forged->sent) {
        tcgrr_put_file(payload, (const uint8_t *)forged->sent, strlen(forged->sent));
        send_message(side, TCGRR_MESSAGE_FILE, payload);
    } else {
        tcgrr_put_more(payload, 1, 1);
        send_message(side, TCGRR_MESSAGE_MORE, payload);
    }
    tcgrr_peer_receive(side->peer, &message, NULL); /* until it has gone */
    return NULL;
}

static void test_forged_machines(void **state)
{
    static const struct forged cases[] = {
        {"virt-9.0 -S", "max", NULL, NULL, "machine is malformed: 'virt-9.0 -S'", TCGRR_ERROR_DAMAGED},
        {"virt-9.0", "max,file=/etc", NULL, NULL, "CPU is malformed: 'max,file=/etc'", TCGRR_ERROR_DAMAGED},
        {"virt-9.0", "max,x=y", NULL, NULL, "different machines", TCGRR_ERROR_FAILED},
        {"virt-9.0", "max", "../a.rom", "rom", "malformed message", TCGRR_ERROR_DAMAGED},
        {"virt-9.0", "max", "a.rom", "rum", "sent other content for a.rom than it announced", TCGRR_ERROR_DAMAGED},
        {"virt-9.0", "max", "a.rom", "rom and more", "sent other content for a.rom", TCGRR_ERROR_DAMAGED},
        {"virt-9.0", "max", "a.rom", NULL, "out of turn", TCGRR_ERROR_DAMAGED},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct side sides[2] = {{.machine = "virt-9.0", .file = "a.rom", .role = "rom", .content = "rom"},
                                {.machine = "virt-9.0"}};
        gpointer data[] = {&sides[0], (gpointer)&cases[i]};
        begin(sides);
        check(__wrap_tcgrr_pin(&sides[0].qemu, NULL, NULL, &sides[0].agreed.pins, NULL), NULL);
        GThread *other = g_thread_new("other", forge, data);
        agree(&sides[1]);
        g_thread_join(other);
        complains(&sides[1], cases[i].code, cases[i].text);
        end(sides);
    }
}

/* A file that is not as it was when it was announced. */
static void test_file_changes(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct side sides[2] = {{.machine = "virt-9.0", .file = "a.rom", .role = "rom", .content = "rom"},
                                {.machine = "virt-9.0"}};
        struct tcgrr_machine_answer answer = {.has_it = true, .wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
        g_autoptr(GByteArray) payload = g_byte_array_new();
        struct tcgrr_message message;
        uint32_t first = 0;
        GError *error = NULL;

        begin(sides);
        GThread *thread = g_thread_new("side", agree, &sides[0]);
        check(tcgrr_peer_receive(sides[1].peer, &message, &error), error);
        assert_int_equal(message.type, TCGRR_MESSAGE_MACHINE);
        g_autofree char *path = g_build_filename(sides[0].agreed.pins.folder, "a.rom", NULL);
        if (gone) {
            assert_int_equal(g_unlink(path), 0);
        } else {
            assert_true(g_file_set_contents(path, "longer", -1, NULL));
        }
        g_array_append_val(answer.wanted, first);
        tcgrr_put_answer(payload, &answer);
        send_message(&sides[1], TCGRR_MESSAGE_ANSWER, payload);
        assert_false(tcgrr_peer_receive(sides[1].peer, &message, NULL));
        g_thread_join(thread);
        assert_false(sides[0].good);
        assert_non_null(strstr(sides[0].error->message, gone ? "No such file" : "a.rom changed while it was read"));
        g_array_unref(answer.wanted);
        end(sides);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_sent), cmocka_unit_test(test_other_machine),
        cmocka_unit_test(test_none),           cmocka_unit_test(test_no_versions),
        cmocka_unit_test(test_differences),    cmocka_unit_test(test_forged_machines),
        cmocka_unit_test(test_file_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
