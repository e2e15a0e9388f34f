#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# long: starts Slurm, a controller and a node, and fills a trace with it
# timeout: 300
# A Slurm job array derives the windows of one trace, two at a time; one of its workers is killed
# and its window run again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
for program in slurmctld slurmd sbatch munged; do
    command -v $program >/dev/null || skip "$program is missing; the package slurm-wlm has it"
done
[ "$(id -u)" = 0 ] || skip "a Slurm of one's own takes root here"

# ---- Slurm on this computer alone, with everything in $work ----
host=$(hostname -s)
mkdir -p "$work/munge" "$work/state" "$work/spool"
chmod 0711 "$work"
chmod 0755 "$work/munge"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 0400 "$work/munge/key"
munged --force --key-file="$work/munge/key" --socket="$work/munge/socket" --log-file="$work/munge/log" \
    --pid-file="$work/munge/pid" --seed-file="$work/munge/seed"
cat >"$work/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
SlurmctldPort=$((20000 + $$ % 10000))
SlurmdPort=$((30000 + $$ % 10000))
MpiDefault=none
ReturnToService=2
JobRequeue=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$work/slurm.conf
stop_slurm() {
    for pid in "$work/slurmd.pid" "$work/slurmctld.pid" "$work/munge/pid"; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
}
trap 'stop_slurm; finish' EXIT
slurmctld -c
slurmd -c
for _ in $(seq 100); do
    sinfo -h -o %T 2>/dev/null | grep -q idle && break
    sleep 0.2
done
sinfo -h -o %T | grep -q idle || skip "Slurm does not come up here: $(tail -n 2 "$work/slurmctld.log" "$work/slurmd.log")"

# ---- the fill ----
guest a64-timer 10.0
record a --level inputs
run 0 "$tcgrr" keyframes --every 600000 "$work/a.tcgrr"
"$tcgrr" fill --print-jobs --level full -j 2 --window-size 500000 "$work/a.tcgrr" >"$work/jobs"
count=$(wc -l <"$work/jobs")
[ "$count" -gt 4 ] || fail "only $count jobs"
cat >"$work/task" <<'END'
#!/bin/sh
# The first time, the second task dies as if its node had.
if [ "$SLURM_ARRAY_TASK_ID" = 2 ] && mkdir "$1/died" 2>/dev/null; then
    sed -n "${SLURM_ARRAY_TASK_ID}p" "$1/jobs" | sh &
    sleep 0.2
    kill -KILL $!
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    sleep 60
fi
sed -n "${SLURM_ARRAY_TASK_ID}p" "$1/jobs" | sh
END
chmod +x "$work/task"
run 0 sbatch --wait --requeue --output="$work/task-%a.log" --array="1-$count" "$work/task" "$work"
[ -d "$work/died" ] || fail "no task was killed"
equal "windows" "$(find "$work/a.tcgrr.fill" -name '*.tcgrr' | wc -l)" "$count"
run 0 "$tcgrr" fill --json --collect "$work/a.tcgrr" "$work"/a.tcgrr.fill/*.tcgrr
equal "level" "$(json .level)" full
verify a
run 0 "$tcgrr" replay --json "$work/a.tcgrr"
equal "compared" "$(json .compared)" "$("$tcgrr" info --json "$work/a.tcgrr" | jq .icount)"
