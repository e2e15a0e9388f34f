/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building QEMU's command line: what is added, merged, understood and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <glib/gstdio.h>

#include "emu/qemu/command.h"
#include "emu/qemu/command_options.h"
#include "emu/qemu/unlogged.h"
#include "store/error.h"

static const struct tcgrr_qemu system_qemu = {
    .path = "/opt/qemu-system-x", .version = "10.0.2", .target = "riscv64", .system = true, .api = 4};
static const struct tcgrr_qemu user_qemu = {.path = "/opt/qemu-x", .version = "7.2.22", .api = 1};

static const struct tcgrr_command_options record = {.mode = TCGRR_RUN_RECORD, .rr_file = "/t/rr.bin"};
static const struct tcgrr_command_options plain = {.mode = TCGRR_RUN_PLAIN};

/* Builds from one line of words. Returns the command as one line, or the error's message with "error N: " before it. */
static char *build_into(const struct tcgrr_qemu *qemu, const struct tcgrr_command_options *options, const char *line,
                        struct tcgrr_command *command)
{
    char **words = g_strsplit(line, " ", -1);
    GError *error = NULL;
    char *result;
    if (line[0] == '\0') {
        g_strfreev(words);
        words = g_new0(char *, 1);
    }
    if (tcgrr_command_build(qemu, (const char *const *)words, options, command, &error)) {
        assert_null(error);
        result = g_strjoinv(" ", command->argv);
    } else {
        assert_non_null(error);
        assert_true(error->domain == TCGRR_ERROR);
        assert_null(strchr(error->message, '\n'));
        assert_null(command->argv);
        result = g_strdup_printf("error %d: %s", error->code, error->message);
        g_error_free(error);
    }
    g_strfreev(words);
    return result;
}

static void expect(const struct tcgrr_qemu *qemu, const struct tcgrr_command_options *options, const char *line,
                   const char *expected)
{
    struct tcgrr_command command;
    char *result = build_into(qemu, options, line, &command);
    assert_string_equal(result, expected);
    g_free(result);
    tcgrr_command_clear(&command);
}

static void expect_recorded(const char *line, const char *expected)
{
    expect(&system_qemu, &record, line, expected);
}

/* The message begins with `argument` and mentions `remedy`. */
static void expect_refused(const struct tcgrr_command_options *options, const char *line, const char *argument,
                           const char *remedy)
{
    struct tcgrr_command command;
    char *result = build_into(&system_qemu, options, line, &command);
    char *start = g_strdup_printf("error %d: %s: ", TCGRR_ERROR_USAGE, argument);
    if (!g_str_has_prefix(result, start) || !strstr(result, remedy)) {
        fail_msg("%s gave: %s", line, result);
    }
    g_free(start);
    g_free(result);
    tcgrr_command_clear(&command);
}

static void expect_refused_on(const struct tcgrr_qemu *qemu, const char *line, const char *remedy)
{
    struct tcgrr_command command;
    g_autofree char *result = build_into(qemu, &record, line, &command);

    if (!strstr(result, remedy)) {
        fail_msg("%s gave: %s", line, result);
    }
    tcgrr_command_clear(&command);
}

/* Recording with QEMU `version` warns of `option`; NULL: of nothing. */
static void expect_warning(const char *line, const char *version, const char *option)
{
    struct tcgrr_qemu qemu = system_qemu;
    struct tcgrr_command command;

    qemu.version = (char *)version;
    g_autofree char *result = build_into(&qemu, &record, line, &command);
    assert_non_null(result);
    assert_true(option ? command.warning && g_str_has_prefix(command.warning, option) : !command.warning);
    tcgrr_command_clear(&command);
}

static void expect_files(const struct tcgrr_qemu *qemu, const char *line, const char *expected, const char *kernel)
{
    struct tcgrr_command command;
    char *result = build_into(qemu, &plain, line, &command);
    g_ptr_array_add(command.guest_files, NULL);
    char *files = g_strjoinv(" ", (char **)command.guest_files->pdata);
    assert_string_equal(files, expected);
    assert_int_equal(g_strcmp0(command.kernel, kernel), 0);
    g_free(files);
    g_free(result);
    tcgrr_command_clear(&command);
}

#define RR  "rr=record,rrfile=/t/rr.bin"
#define END " -icount shift=0," RR " -nic none"

static void test_record(void **state)
{
    expect_recorded("-M virt -kernel k", "/opt/qemu-system-x -M virt -kernel k" END);
    expect_recorded("", "/opt/qemu-system-x" END);
}

static void test_everything_added(void **state)
{
    struct tcgrr_command_options options = {
        .mode = TCGRR_RUN_REPLAY,
        .icount = "3",
        .rr_file = "/t/a,b",
        .qmp_config = "/t/q,s",
        .gdb = "tcp::9",
        .pause_at_end = true,
        .start_paused = true,
        .plugin = "/l/p,q.so",
        .plugin_arguments = "fd=7,x=1",
    };
    expect(&system_qemu, &options, "-M virt",
           "/opt/qemu-system-x -M virt -icount shift=3,rr=replay,rrfile=/t/a,,b -nic none -plugin /l/p,,q.so,fd=7,x=1 "
           "-action shutdown=pause,panic=exit-failure -readconfig /t/q,s -gdb tcp::9 -S");
    /* What the user gave already is not given twice; a gdb address of their own gives way. */
    options.plugin = NULL;
    options.qmp_config = NULL;
    expect(&system_qemu, &options, "-no-shutdown -S -s -gdb tcp::1 -nic none",
           "/opt/qemu-system-x -no-shutdown -S -nic none -icount shift=3,rr=replay,rrfile=/t/a,,b -gdb tcp::9");
}

static void test_pause_before_action(void **state)
{
    struct tcgrr_qemu old = system_qemu;
    struct tcgrr_command_options options = {.mode = TCGRR_RUN_PLAIN, .pause_at_end = true};
    old.version = (char *)"5.2.0";
    expect(&old, &options, "", "/opt/qemu-system-x -icount shift=0 -no-shutdown");
}

static void test_values_that_look_like_options(void **state)
{
    expect_recorded("-append -icount -M virt", "/opt/qemu-system-x -append -icount -M virt" END);
    expect_recorded("--append -smp --machine virt", "/opt/qemu-system-x --append -smp --machine virt" END);
    /* An option that is newer than the table: the word after it is its value, not a disk. */
    expect_recorded("-brand-new value -S", "/opt/qemu-system-x -brand-new value -S" END);
    expect_recorded("-nographic -snapshot", "/opt/qemu-system-x -nographic -snapshot" END);
    /* A value that is missing at the end is for QEMU to complain about. */
    expect_recorded("-kernel", "/opt/qemu-system-x -kernel" END);
}

static void test_icount(void **state)
{
    struct tcgrr_command_options four = record;
    four.icount = "4";
    expect_recorded("-icount 7", "/opt/qemu-system-x -icount shift=7," RR " -nic none");
    expect_recorded("-icount auto", "/opt/qemu-system-x -icount shift=auto," RR " -nic none");
    expect_recorded("-icount align=off,shift=2", "/opt/qemu-system-x -icount align=off,shift=2," RR " -nic none");
    expect_recorded("-icount 2,sleep=on", "/opt/qemu-system-x -icount shift=2,sleep=on," RR " -nic none");
    expect_recorded("-icount 2 --icount align=on", "/opt/qemu-system-x -icount shift=2,align=on," RR " -nic none");
    expect(&system_qemu, &four, "-icount shift=04", "/opt/qemu-system-x -icount shift=4," RR " -nic none");
    expect(&system_qemu, &four, "-icount align=on", "/opt/qemu-system-x -icount align=on,shift=4," RR " -nic none");
    expect(&system_qemu, &plain, "-icount 2,sleep=off", "/opt/qemu-system-x -icount shift=2,sleep=off");
    expect(&system_qemu, &plain, "-icount 2,rr=replay,rrfile=x",
           "/opt/qemu-system-x -icount shift=2,rr=replay,rrfile=x");

    expect_refused(&four, "-icount 3", "-icount shift=3", "shift 4");
    expect_refused(&four, "-icount auto", "-icount shift=auto", "only one");
    expect_refused(&record, "-icount 3,rr=record", "-icount rr=record", "--no-rr");
    expect_refused(&record, "-icount 3,rrfile=x", "-icount rrfile=x", "--no-rr");
    expect_refused(&record, "-icount 3,sleep=off", "-icount sleep=off", "--no-rr");
    four.icount = "11";
    expect_refused(&four, "", "icount shift 11", "auto");
}

static void test_icount_shift_is_reported(void **state)
{
    struct tcgrr_command command;
    char *line = build_into(&system_qemu, &record, "-icount align=on,shift=5", &command);
    assert_string_equal(command.icount_shift, "5");
    assert_int_equal(command.mode, TCGRR_RUN_RECORD);
    assert_int_equal(command.vcpus, 1);
    assert_true(command.notes->len >= 2);
    g_free(line);
    tcgrr_command_clear(&command);
}

static void test_accelerators(void **state)
{
    static const char *const refused[] = {"-accel kvm",
                                          "-accel tcg,thread=multi",
                                          "-accel accel=hvf",
                                          "-enable-kvm",
                                          "-M virt,accel=kvm:tcg",
                                          "-machine accel=whpx",
                                          "-accel hax",
                                          "-enable-hax",
                                          "-xen-attach",
                                          "-daemonize"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        expect_refused(&record, refused[i], refused[i], "leave it out");
        expect_refused(&plain, refused[i], refused[i], "leave it out");
    }
    expect_recorded("-accel tcg,thread=single,tb-size=64",
                    "/opt/qemu-system-x -accel tcg,thread=single,tb-size=64" END);
    expect_recorded("-M virt,accel=tcg", "/opt/qemu-system-x -M virt,accel=tcg" END);
}

static void expect_vcpus(const char *line, unsigned vcpus)
{
    struct tcgrr_command command;
    char *result = build_into(&system_qemu, &record, line, &command);
    assert_int_equal(command.vcpus, vcpus);
    assert_int_equal(command.mode, vcpus > 1 ? TCGRR_RUN_PLAIN : TCGRR_RUN_RECORD);
    assert_int_equal(strstr(result, "rr=") == NULL, vcpus > 1);
    assert_int_equal(strstr(result, "-nic none") == NULL, vcpus > 1);
    g_free(result);
    tcgrr_command_clear(&command);
}

static void test_smp(void **state)
{
    expect_vcpus("-smp 1", 1);
    expect_vcpus("-smp 4", 4);
    expect_vcpus("-smp cpus=2,maxcpus=8", 2);
    expect_vcpus("-smp 1,maxcpus=8", 1);
    expect_vcpus("-smp maxcpus=8", 8);
    expect_vcpus("-smp sockets=2,cores=3,threads=2", 12);
    expect_vcpus("-M virt,smp.cpus=3", 3);
    expect_vcpus("-smp 2 -smp 1", 1);
    expect_vcpus("-smp nonsense", 1);
    expect_vcpus("-smp sockets=65535,cores=65535,threads=65535,dies=65535,books=65535", 65535);

    struct tcgrr_command_options replay = {.mode = TCGRR_RUN_REPLAY, .rr_file = "f"};
    expect_refused(&replay, "-smp 2", "-smp", "-smp 1");
}

static void test_network(void **state)
{
    expect_recorded("-nic none", "/opt/qemu-system-x -nic none -icount shift=0," RR);
    expect_recorded("-net none", "/opt/qemu-system-x -net none -icount shift=0," RR);
    expect_recorded(
        "-netdev user,id=a -device e1000,netdev=a -netdev tap,id=b",
        "/opt/qemu-system-x -object filter-replay,id=tcgrr-rr0,netdev=a -netdev user,id=a "
        "-device e1000,netdev=a -object filter-replay,id=tcgrr-rr1,netdev=b -netdev tap,id=b -icount shift=0," RR);
    expect_recorded("-nic user,id=n", "/opt/qemu-system-x -object filter-replay,id=tcgrr-rr0,netdev=n -nic user,id=n "
                                      "-icount shift=0," RR);
    expect_recorded("-nic user,model=e1000", "/opt/qemu-system-x -object filter-replay,id=tcgrr-rr0,netdev=tcgrr-nic0 "
                                             "-nic user,model=e1000,id=tcgrr-nic0 -icount shift=0," RR);
    /* The user knows already what rr needs. */
    expect_recorded("-netdev user,id=a -object filter-replay,id=f,netdev=a",
                    "/opt/qemu-system-x -netdev user,id=a -object filter-replay,id=f,netdev=a -icount shift=0," RR);
    expect_recorded(
        "-netdev {\"type\":\"user\",\"id\":\"j\"}",
        "/opt/qemu-system-x -object filter-replay,id=tcgrr-rr0,netdev=j -netdev {\"type\":\"user\",\"id\":\"j\"} "
        "-icount shift=0," RR);
    expect_refused(&record, "-net nic -net user", "-net nic", "-netdev");
    expect_refused(&record, "-netdev user", "-netdev user", "id");
    expect(&system_qemu, &plain, "-net nic -net user", "/opt/qemu-system-x -net nic -net user -icount shift=0");
}

/* A replay leaves the files alone that the recorded guest's console and the like went to, but not the caller's own. */
static void test_outputs(void **state)
{
    static const char *const own[] = {"-D", "b.log", NULL};
    struct tcgrr_command_options replay = {.mode = TCGRR_RUN_REPLAY, .rr_file = "f", .own = own};

    expect(&system_qemu, &replay,
           "-nic none -D a.log -serial file:a -chardev file,id=c,path=b,logfile=c -pidfile p -D b.log",
           "/opt/qemu-system-x -nic none -D /dev/null -serial file:/dev/null -chardev "
           "backend=file,id=c,path=/dev/null,logfile=/dev/null -D b.log -icount shift=0,rr=replay,rrfile=f");
    expect_recorded("-serial file:a", "/opt/qemu-system-x -serial file:a" END);
    expect(&system_qemu, &replay, "-nic none -serial mon:stdio -chardev stdio,id=c -D b.log",
           "/opt/qemu-system-x -nic none -serial mon:stdio -chardev stdio,id=c -D b.log -icount "
           "shift=0,rr=replay,rrfile=f");
}

static void test_unlogged_possible(void **state)
{
    static const struct {
        const char *words;
        bool possible;
    } rows[] = {
        {"-M virt -kernel k -nic none", false},
        {"-M pc -device isa-debug-exit,iobase=0xf4 -device loader,file=f", false},
        {"-M pc -nic user,model=e1000", true},
        {"-drive file=d,if=none", true},
        {"-M virt -device virtio-serial-device", true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = g_strsplit(rows[i].words, " ", -1);
        g_autoptr(GArray) options = tcgrr_options_scan_system((const char *const *)words);
        assert_int_equal(tcgrr_unlogged_possible(options), rows[i].possible);
    }
}

static void test_unlogged_inputs(void **state)
{
    static const struct {
        const char *words;
        const char *found; /* NULL: nothing */
    } rows[] = {
        {"-chardev stdio,id=c -device isa-serial,chardev=c", "-device isa-serial,chardev=c"},
        {"-chardev file,id=c,path=x -device isa-serial,chardev=c", NULL},
        {"-chardev stdio,id=c -serial chardev:c", NULL},
        {"-chardev stdio,id=c,mux=on -serial chardev:c -mon chardev=c", "-serial chardev:c"},
        {"-chardev socket,id=c,path=s,server=on -mon chardev=c", NULL},
        {"-object rng-random,id=r -device virtio-rng-pci,rng=r", "-object rng-random,id=r"},
        {"-object rng-builtin,id=r -serial mon:stdio", NULL},
    };
    static const struct {
        const char *words;
        const char *version;
        bool unlogged;
    } consoles[] = {
        {"-nographic", "7.2.22", true},
        {"-nographic", "10.0.2", false},
        {"-nographic -monitor none", "7.2.22", false},
        {"-serial mon:stdio", "8.2.0", true},
        {"-serial stdio", "7.2.22", false},
    };
    static const struct {
        const char *words;
        const char *version;
        const char *found;
    } devices[] = {
        {"-device virtio-net-pci,netdev=n", "7.2.22", "-device virtio-net-pci,netdev=n"},
        {"-nic user,model=virtio-net-pci", "9.0.2", "-nic user,model=virtio-net-pci"},
        {"-device virtio-net-pci,netdev=n", "10.0.2", NULL},
        {"-device e1000,netdev=n -nic user", "7.2.22", NULL},
        {"-device virtio-blk-pci,drive=d -device nvme,drive=r,serial=s", "11.1.3", "-device nvme,drive=r,serial=s"},
        {"-device usb-ehci -device usb-storage,drive=r", "10.0.2", "-device usb-ehci"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = g_strsplit(rows[i].words, " ", -1);
        g_autoptr(GArray) options = tcgrr_options_scan_system((const char *const *)words);
        g_autofree char *found = tcgrr_unlogged_find(options);
        assert_int_equal(g_strcmp0(found, rows[i].found), 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(consoles); i++) {
        g_auto(GStrv) words = g_strsplit(consoles[i].words, " ", -1);
        g_autoptr(GArray) options = tcgrr_options_scan_system((const char *const *)words);
        assert_int_equal(tcgrr_unlogged_console(options, consoles[i].version), consoles[i].unlogged);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_auto(GStrv) words = g_strsplit(devices[i].words, " ", -1);
        g_autoptr(GArray) options = tcgrr_options_scan_system((const char *const *)words);
        g_autofree char *found = tcgrr_unlogged_work(options, devices[i].version);
        assert_int_equal(g_strcmp0(found, devices[i].found), 0);
        expect_warning(devices[i].words, devices[i].version, devices[i].found);
    }
    expect_refused(&record, "-virtfs local,path=.", "-virtfs local,path=.", "--no-rr");
}

static void test_disks_refused(void **state)
{
    static const struct {
        const char *line;
        const char *argument;
    } cases[] = {
        {"-hda d.img", "-hda d.img"},
        {"-cdrom d.iso", "-cdrom d.iso"},
        {"d.img", "d.img"},
        {"-drive file=d.img", "-drive file=d.img"},
        {"-drive file=d.img,if=virtio", "-drive file=d.img,if=virtio"},
        {"-drive file=d.img,if=none,id=x -device virtio-blk,drive=x", "-drive file=d.img,if=none,id=x"},
        {"-blockdev raw,node-name=n,file.driver=file,file.filename=d -device {\"driver\":\"ide-hd\",\"drive\":\"n\"}",
         "-blockdev raw,node-name=n,file.driver=file,file.filename=d"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct tcgrr_command command;
        expect_refused(&record, cases[i].line, cases[i].argument, "driver=blkreplay");
        char *allowed = build_into(&system_qemu, &plain, cases[i].line, &command);
        assert_non_null(strstr(allowed, cases[i].line));
        g_free(allowed);
        tcgrr_command_clear(&command);
    }
}

/* What to use instead, ready to be pasted where the device does not depend on the machine. */
static void test_disks_named(void **state)
{
    struct tcgrr_qemu pc = system_qemu;

    pc.target = "x86_64";
    expect_refused_on(&pc, "-cdrom d.iso", "-device ide-cd,drive=r0");
    expect_refused_on(&pc, "-hdb d.img", "-device ide-hd,drive=r0");
    expect_refused_on(&pc, "-drive file=d.img", "-device ide-hd,drive=r0");
    expect_refused_on(&pc, "-drive file=d.iso,media=cdrom", "-device ide-cd,drive=r0");
    expect_refused_on(&system_qemu, "-drive file=d.img,if=virtio", "-device virtio-blk,drive=r0");
    expect_refused_on(&system_qemu, "-hda d.img", "-device DEVICE,drive=r0");
}

static void test_disks_accepted(void **state)
{
    static const char *const lines[] = {
        "-drive file=d,if=none,snapshot=on,id=d0 -drive driver=blkreplay,if=none,image=d0,id=r0 -device "
        "ide-hd,drive=r0",
        "-drive file=snapshots.qcow2,if=none,id=rr",
        "-drive if=pflash,file=code.fd,readonly=on",
        "-pflash code.fd",
        "-drive media=cdrom,id=empty",
        "-blockdev file,filename=d,node-name=a -blockdev blkreplay,node-name=b,image=a -device "
        "ide-hd,drive=b",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        char *expected = g_strdup_printf("/opt/qemu-system-x %s" END, lines[i]);
        expect_recorded(lines[i], expected);
        g_free(expected);
    }
}

static void test_guest_files(void **state)
{
    expect_files(&system_qemu, "-kernel k -initrd i -dtb d -bios b -kernel k", "k i d b", "k");
    expect_files(&system_qemu, "-M virt,kernel=k,firmware=f -option-rom r", "k f r", "k");
    expect_files(&system_qemu,
                 "-drive file=a,,b,if=none -drive file=file:c -hda nbd:host:1 -cdrom d -drive file.filename=e",
                 "a,b c d e", NULL);
    expect_files(&system_qemu, "-device loader,file=l,addr=0 -device {\"driver\":\"loader\",\"file\":\"m\"}", "l m",
                 NULL);
    expect_files(&system_qemu, "-fw_cfg opt/x,file=w -fw_cfg name=y,string=z -pflash p q.img", "w p q.img", NULL);
    expect_files(&system_qemu, "-blockdev file,node-name=n,filename=b -blockdev qcow2,file=n", "b", NULL);
    expect_files(&user_qemu, "-cpu max -L /lib --strace ./prog -kernel x", "./prog", "./prog");
}

static void test_user_mode(void **state)
{
    struct tcgrr_command_options options = {.mode = TCGRR_RUN_RECORD,
                                            .plugin = "/l/p.so",
                                            .plugin_arguments = "fd=3",
                                            .qmp_config = "/s",
                                            .pause_at_end = true};
    expect(&user_qemu, &options, "-cpu max -strace -E A=b prog -icount 3 -smp 4",
           "/opt/qemu-x -plugin /l/p.so,fd=3,program=5 -seed 1 -U MALLOC_ARENA_MAX -cpu max -strace -E A=b prog "
           "-icount 3 -smp 4");
    expect(&user_qemu, &options, "-plugin other.so prog",
           "/opt/qemu-x -plugin /l/p.so,fd=3,program=1 -seed 1 -U MALLOC_ARENA_MAX -plugin other.so prog");

    struct tcgrr_command command;
    char *line = build_into(&user_qemu, &options, "prog", &command);
    assert_int_equal(command.mode, TCGRR_RUN_PLAIN);
    assert_string_equal(command.icount_shift, "");
    assert_int_equal(command.vcpus, 1);
    g_free(line);
    tcgrr_command_clear(&command);

    expect(&user_qemu, &options, "-cpu max", "error 0: /opt/qemu-x: no program given; name it after QEMU's options");
    options.mode = TCGRR_RUN_REPLAY;
    expect(&user_qemu, &options, "prog",
           "error 0: /opt/qemu-x: user-mode QEMU has no icount, so no rr log; use qemu-system-*");
}

static void test_without_plugin_support(void **state)
{
    struct tcgrr_qemu qemu = system_qemu;
    struct tcgrr_command_options options = record;
    qemu.plugin_error = (char *)"built without plugins";
    options.plugin = "/l/p.so";
    expect(&qemu, &options, "-M virt", "error 1: /opt/qemu-system-x cannot be recorded: built without plugins");
}

static void test_suboptions(void **state)
{
    GPtrArray *parsed = tcgrr_suboptions_parse("first,a=1,,2=3,b,a=4,c=", "type");
    assert_string_equal(tcgrr_suboptions_get(parsed, "type"), "first");
    assert_string_equal(tcgrr_suboptions_get(parsed, "a"), "4");
    assert_string_equal(tcgrr_suboptions_get(parsed, "b"), "on");
    assert_string_equal(tcgrr_suboptions_get(parsed, "c"), "");
    assert_null(tcgrr_suboptions_get(parsed, "d"));
    tcgrr_suboptions_set(parsed, "b", "x,y");
    char *text = tcgrr_suboptions_format(parsed);
    assert_string_equal(text, "type=first,b=x,,y,a=4,c=");
    g_free(text);
    g_ptr_array_unref(parsed);

    parsed = tcgrr_suboptions_parse("{\"a\": {\"b\": \"c\", \"n\": 3}, \"t\": true}", NULL);
    assert_string_equal(tcgrr_suboptions_get(parsed, "a.b"), "c");
    assert_string_equal(tcgrr_suboptions_get(parsed, "a.n"), "3");
    assert_string_equal(tcgrr_suboptions_get(parsed, "t"), "on");
    g_ptr_array_unref(parsed);

    parsed = tcgrr_suboptions_parse("{ not json", NULL);
    assert_int_equal(parsed->len, 0);
    g_ptr_array_unref(parsed);
}

/* Puts it in the place of our input, and closes it. */
static void take_input(int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

/* Whether something of our input was read. */
static void test_unlogged_typed(void **state)
{
    int saved = dup(STDIN_FILENO);
    int ends[2];
    char byte;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "ab", 2), 2);
    take_input(ends[0]);
    g_usleep(50000); /* more than the clock of files is behind */
    gint64 began = g_get_real_time();
    g_usleep(50000);
    assert_int_equal(read(STDIN_FILENO, &byte, 1), 1);
    assert_true(tcgrr_unlogged_typed(began)); /* also where Linux does not tell */
    close(ends[1]);

    g_autofree char *folder = g_dir_make_tmp("tcgrr-test-XXXXXX", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int other = open(fifo, O_RDWR | O_CLOEXEC);
    take_input(open(fifo, O_RDONLY | O_CLOEXEC));
    assert_int_equal(write(other, "ab", 2), 2);
    g_usleep(50000);
    began = g_get_real_time();
    assert_false(tcgrr_unlogged_typed(began));
    g_usleep(50000);
    assert_int_equal(read(STDIN_FILENO, &byte, 1), 1);
    assert_true(tcgrr_unlogged_typed(began));
    close(other);
    g_unlink(fifo);
    g_rmdir(folder);

    take_input(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    assert_false(tcgrr_unlogged_typed(0));
    assert_int_equal(read(STDIN_FILENO, &byte, 1), 1);
    assert_true(tcgrr_unlogged_typed(0));
    take_input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    assert_false(tcgrr_unlogged_typed(0));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    take_input(ends[0]);
    assert_true(tcgrr_unlogged_typed(0)); /* that cannot be known */
    close(ends[1]);
    close(STDIN_FILENO);
    assert_false(tcgrr_unlogged_typed(0));
    if (saved >= 0) {
        take_input(saved);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_everything_added),
        cmocka_unit_test(test_pause_before_action),
        cmocka_unit_test(test_values_that_look_like_options),
        cmocka_unit_test(test_icount),
        cmocka_unit_test(test_icount_shift_is_reported),
        cmocka_unit_test(test_accelerators),
        cmocka_unit_test(test_smp),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_disks_refused),
        cmocka_unit_test(test_disks_named),
        cmocka_unit_test(test_disks_accepted),
        cmocka_unit_test(test_guest_files),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_unlogged_inputs),
        cmocka_unit_test(test_unlogged_possible),
        cmocka_unit_test(test_unlogged_typed),
        cmocka_unit_test(test_user_mode),
        cmocka_unit_test(test_without_plugin_support),
        cmocka_unit_test(test_suboptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
