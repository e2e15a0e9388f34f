/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace file's tables; docs/trace-format.md describes every column. */
#ifndef TCGRR_STORE_SCHEMA_H
#define TCGRR_STORE_SCHEMA_H

#define TCGRR_TRACE_APPLICATION_ID 0x74636772 /* "tcgr" */
/* Raise when a table, a column or an encoding changes its meaning; a reader refuses any other version. */
#define TCGRR_TRACE_VERSION 1

/* Encodings of chunk.execs. */
#define TCGRR_TRACE_CODEC 1

/* Bytes of QEMU's rr file in one row, before compression. */
#define TCGRR_TRACE_RR_PART (1u << 20)

#define TCGRR_TRACE_SCHEMA                                                                                             \
    "CREATE TABLE run(id INTEGER PRIMARY KEY CHECK(id = 1), tool_version TEXT, started TEXT, ended TEXT,"              \
    " duration_s REAL, host TEXT, directory TEXT, command TEXT, original_command TEXT, qemu_path TEXT,"                \
    " qemu_version TEXT, qemu_banner TEXT, qemu_build_id TEXT, target TEXT, mode TEXT, api_version INTEGER,"           \
    " rr INTEGER, icount_shift TEXT, vcpus INTEGER, reports_discontinuities INTEGER, level TEXT, exit TEXT, guest_shutdown INTEGER,"           \
    " complete INTEGER, icount INTEGER, qemu_icount INTEGER, execs INTEGER, assumed INTEGER, decided INTEGER);"        \
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);"                                                            \
    "CREATE TABLE guest_file(path TEXT PRIMARY KEY, size INTEGER, xxh128 TEXT);"                                       \
    "CREATE TABLE block(id INTEGER PRIMARY KEY, hash INTEGER, pc INTEGER, insns INTEGER, size INTEGER,"                \
    " lengths BLOB, bytes BLOB);"                                                                                      \
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, first_seq INTEGER, execs INTEGER, first_icount INTEGER,"               \
    " insns INTEGER, vcpu INTEGER, first_flow INTEGER, end_flow INTEGER, codec INTEGER, data BLOB, partials BLOB,"     \
    " switches BLOB, digest INTEGER, blocks BLOB);"                                                                               \
    "CREATE TABLE event(id INTEGER PRIMARY KEY, seq INTEGER, icount INTEGER, vcpu INTEGER, kind TEXT, source TEXT,"    \
    " from_pc INTEGER, to_pc INTEGER, number INTEGER, arguments TEXT, result INTEGER);"                                \
    "CREATE TABLE checkpoint(icount INTEGER PRIMARY KEY, flow INTEGER);"                                               \
    "CREATE TABLE symbol(address INTEGER, size INTEGER, name TEXT, file TEXT);"                                        \
    "CREATE TABLE rr_file(part INTEGER PRIMARY KEY, size INTEGER, data BLOB, digest INTEGER);"                         \
    "CREATE UNIQUE INDEX chunk_icount ON chunk(first_icount, id);"                                                     \
    "CREATE UNIQUE INDEX chunk_seq ON chunk(first_seq, id);"                                                           \
    "CREATE INDEX event_icount ON event(icount);"                                                                      \
    "CREATE INDEX symbol_address ON symbol(address);"

#endif
