/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace file's tables; docs/trace-format.md describes every column. */
#ifndef TCGRR_STORE_SCHEMA_H
#define TCGRR_STORE_SCHEMA_H

#define TCGRR_TRACE_APPLICATION_ID 0x74636772 /* "tcgr" */
/* Raise when a table, a column or an encoding changes its meaning; a reader refuses any other version. */
#define TCGRR_TRACE_VERSION        6

/* Encodings of chunk.data. */
#define TCGRR_TRACE_CODEC 1

/* Bytes of QEMU's rr file in one row, before compression. */
#define TCGRR_TRACE_RR_PART      (1u << 20)
/* The same of an embedded file. */
#define TCGRR_TRACE_CONTENT_PART (1u << 20)

/* Views that need nothing but these tables, so that every program that reads SQLite has them. */
#define TCGRR_TRACE_VIEWS                                                                                              \
    "CREATE VIEW exec_count AS -- how many executions and instructions there are, without counting them\n"             \
    "SELECT sum(execs) AS execs, max(first_icount + insns) AS icount, count(*) AS chunks FROM chunk;"                  \
    "CREATE VIEW event_count AS -- events by kind\n"                                                                   \
    "SELECT kind, source, -- who reported them\n"                                                                      \
    "  count(*) AS events, min(icount) AS first_icount, max(icount) AS last_icount FROM event GROUP BY kind, source;"  \
    "CREATE VIEW event_rate AS -- events by kind in each interval of 10,000,000 instructions\n"                        \
    "SELECT icount / 10000000 * 10000000 AS first_icount, kind, count(*) AS events FROM event GROUP BY 1, 2;"          \
    "CREATE VIEW idle_time AS -- when a vCPU was idle; icount stands still while all of them are\n"                    \
    "SELECT idle.vcpu, idle.icount, idle.seq,\n"                                                                       \
    "  (SELECT min(resume.id) FROM event AS resume WHERE resume.id > idle.id AND resume.vcpu = idle.vcpu\n"            \
    "    AND resume.kind = 'resume') AS resume, -- event.id of its end; NULL: none\n"                                  \
    "  (SELECT icount FROM event AS resume WHERE resume.id > idle.id AND resume.vcpu = idle.vcpu\n"                    \
    "    AND resume.kind = 'resume' ORDER BY resume.id LIMIT 1) - idle.icount AS others -- instructions of other "     \
    "vCPUs\n"                                                                                                          \
    "FROM event AS idle WHERE idle.kind = 'idle';"

#define TCGRR_TRACE_SCHEMA                                                                                             \
    "CREATE TABLE run(id INTEGER PRIMARY KEY CHECK(id = 1), tool_version TEXT, started TEXT, ended TEXT,"              \
    " duration_s REAL, host TEXT, directory TEXT, command TEXT, original_command TEXT, qemu_path TEXT,"                \
    " qemu_version TEXT, qemu_banner TEXT, qemu_build_id TEXT, target TEXT, mode TEXT, api_version INTEGER,"           \
    " rr INTEGER, icount_shift TEXT, vcpus INTEGER, reports_discontinuities INTEGER, level TEXT, exit TEXT, "          \
    "guest_shutdown INTEGER,"                                                                                          \
    " complete INTEGER, icount INTEGER, qemu_icount INTEGER, execs INTEGER, assumed INTEGER, decided INTEGER,"         \
    " sample_step INTEGER, sample_from INTEGER, mem_from INTEGER, mem_until INTEGER, tail INTEGER, output TEXT,"       \
    " logged INTEGER, auxv TEXT, interrupted INTEGER);"                                                                \
    "CREATE TABLE layer(level TEXT, first_icount INTEGER, end_icount INTEGER);"                                        \
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);"                                                            \
    "CREATE TABLE guest_file(path TEXT PRIMARY KEY, size INTEGER, xxh128 TEXT);"                                       \
    "CREATE TABLE block( -- each piece of code that was translated, once\n"                                            \
    "  id INTEGER PRIMARY KEY, -- in the order in which they were first translated, from 0; of this trace only\n"      \
    "  hash INTEGER, -- of the content; the same in every trace\n"                                                     \
    "  pc INTEGER, -- of the first instruction\n"                                                                      \
    "  insns INTEGER, -- instructions\n"                                                                               \
    "  size INTEGER, -- bytes of all together\n"                                                                       \
    "  lengths BLOB, -- a byte for each instruction\n"                                                                 \
    "  bytes BLOB -- the instructions, as in memory\n"                                                                 \
    ");"                                                                                                               \
    "CREATE TABLE block_text(first INTEGER PRIMARY KEY, blocks INTEGER, data BLOB, digest INTEGER);"                   \
    "CREATE TABLE chunk( -- executions, packed; exec, insn and history() unpack them\n"                                \
    "  id INTEGER PRIMARY KEY, -- from 0, without gaps\n"                                                              \
    "  first_seq INTEGER, -- executions before it\n"                                                                   \
    "  execs INTEGER, -- in it\n"                                                                                      \
    "  first_icount INTEGER, -- instructions before it\n"                                                              \
    "  insns INTEGER, -- in it\n"                                                                                      \
    "  vcpu INTEGER, -- at its start\n"                                                                                \
    "  first_flow INTEGER, -- digest of the flow before it\n"                                                          \
    "  end_flow INTEGER, -- and after it\n"                                                                            \
    "  codec INTEGER, -- how data is packed\n"                                                                         \
    "  data BLOB, -- block.id of each execution\n"                                                                     \
    "  partials BLOB, -- executions that ended early\n"                                                                \
    "  switches BLOB, -- where another vCPU takes over\n"                                                              \
    "  digest INTEGER, -- of all other columns but blocks\n"                                                           \
    "  blocks BLOB -- which blocks ran in it, how often\n"                                                             \
    ");"                                                                                                               \
    "CREATE TABLE event( -- what came between executions\n"                                                            \
    "  id INTEGER PRIMARY KEY, -- order\n"                                                                             \
    "  seq INTEGER, -- executions before it\n"                                                                         \
    "  icount INTEGER, -- instructions before it\n"                                                                    \
    "  vcpu INTEGER,\n"                                                                                                \
    "  kind TEXT, -- interrupt, exception, syscall, signal, idle, …\n"                                               \
    "  source TEXT, -- who says so: qemu, inferred from the flow, or rr\n"                                             \
    "  from_pc INTEGER, -- interrupt: what would have run next; exception: what raised it; NULL: not known\n"          \
    "  to_pc INTEGER, -- where it went\n"                                                                              \
    "  number INTEGER, -- of the system call or signal\n"                                                              \
    "  arguments TEXT, -- of a system call: a JSON array\n"                                                            \
    "  result INTEGER -- of a system call\n"                                                                           \
    ");"                                                                                                               \
    "CREATE TABLE checkpoint( -- the flow so far, at regular icounts\n"                                                \
    "  icount INTEGER PRIMARY KEY,\n"                                                                                  \
    "  flow INTEGER -- digest of all instructions before it\n"                                                         \
    ");"                                                                                                               \
    "CREATE TABLE register( -- what samples hold (level state)\n"                                                      \
    "  id INTEGER PRIMARY KEY, -- order in a sample\n"                                                                 \
    "  name TEXT,\n"                                                                                                   \
    "  feature TEXT, -- part of the processor, in the words of gdb\n"                                                  \
    "  size INTEGER -- in bytes\n"                                                                                     \
    ");"                                                                                                               \
    "CREATE TABLE sample(chunk INTEGER PRIMARY KEY, samples INTEGER, first_icount INTEGER, last_icount INTEGER,"       \
    " data BLOB, digest INTEGER);"                                                                                     \
    "CREATE TABLE mem_chunk(chunk INTEGER PRIMARY KEY, accesses INTEGER, pages BLOB, data BLOB, digest INTEGER);"      \
    "CREATE TABLE device(id INTEGER PRIMARY KEY, name TEXT);"                                                          \
    "CREATE TABLE region(first INTEGER, last INTEGER, kind TEXT, name TEXT);"                                          \
    "CREATE TABLE symbol( -- functions and code labels\n"                                                              \
    "  address INTEGER, -- where it ran\n"                                                                             \
    "  size INTEGER, -- in bytes\n"                                                                                    \
    "  name TEXT,\n"                                                                                                   \
    "  file TEXT, -- from which it was read\n"                                                                         \
    "  since INTEGER, -- icounts between which it is there; NULL: always\n"                                            \
    "  until INTEGER\n"                                                                                                \
    ");"                                                                                                               \
    "CREATE TABLE rr_file(part INTEGER PRIMARY KEY, size INTEGER, data BLOB, digest INTEGER);"                         \
    "CREATE TABLE pin(id INTEGER PRIMARY KEY CHECK(id = 1), command TEXT, machine TEXT, cpu TEXT, start_at TEXT,"      \
    " start_icount INTEGER);"                                                                                          \
    "CREATE TABLE input(name TEXT PRIMARY KEY, role TEXT, path TEXT, size INTEGER, xxh128 TEXT);"                      \
    "CREATE TABLE process(name TEXT PRIMARY KEY, pid INTEGER, program TEXT, trace TEXT, icount INTEGER, exit TEXT,"    \
    " complete INTEGER);"                                                                                              \
    "CREATE TABLE content(xxh128 TEXT, part INTEGER, size INTEGER, data BLOB, digest INTEGER);"                        \
    "CREATE UNIQUE INDEX content_part ON content(xxh128, part);"                                                       \
    "CREATE UNIQUE INDEX chunk_icount ON chunk(first_icount, id);"                                                     \
    "CREATE UNIQUE INDEX chunk_seq ON chunk(first_seq, id);"                                                           \
    "CREATE INDEX event_icount ON event(icount);"                                                                      \
    "CREATE INDEX sample_icount ON sample(last_icount);"                                                               \
    "CREATE INDEX symbol_address ON symbol(address);" TCGRR_TRACE_VIEWS

#endif
