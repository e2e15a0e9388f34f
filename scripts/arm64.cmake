# SPDX-License-Identifier: GPL-2.0-or-later
# For cmake --toolchain: builds for arm64 on another machine's Debian, against libraries of arm64
# that are installed beside its own (dpkg --add-architecture arm64; scripts/check-package.sh names
# the packages). QEMU runs the tests.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
