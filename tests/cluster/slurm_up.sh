#!/bin/bash
# Brings up a SLURM of two nodes on this one machine, loopback only, for the tests in this folder:
# cn1 (8 CPUs, partition cpu, the default) and gn1 (8 CPUs, two stand-in GPUs, partition gpu).
#
# Needs root and, on Debian:
#   apt-get install --no-install-recommends munge slurm-wlm slurmdbd mariadb-server
# All state lies below $SLURM_BASE (default ${TMPDIR:-/tmp}/gaborscope-slurm), but for two links in
# /etc/slurm: the job step that Snakemake starts inside of a job looks nowhere else.
# slurm_down.sh ends exactly the daemons that this script has started.
set -eu
B=${SLURM_BASE:-${TMPDIR:-/tmp}/gaborscope-slurm}
HOST=$(hostname -s)
export SLURM_CONF=$B/etc/slurm.conf

for tool in munged slurmctld slurmd slurmdbd mariadbd sbatch sacct; do
  command -v $tool >/dev/null || { echo "$tool is not installed" >&2; exit 3; }
done
[ "$(id -u)" = 0 ] || { echo "starting the daemons needs root" >&2; exit 3; }
if [ -s "$B/run/slurmctld.pid" ] && kill -0 "$(cat "$B/run/slurmctld.pid")" 2>/dev/null; then
  echo "already up: $SLURM_CONF"; exit 0
fi
mkdir -p "$B"/{etc,run,log,state,dbdata,dev,spool/gn1,spool/cn1} /etc/slurm
chmod 755 "$B" "$B/run" "$B/etc"
rm -f "$B"/run/*.pid "$B"/spool/*/job*/slurm_script
for f in slurm.conf gres.conf; do
  if [ -e /etc/slurm/$f ] && [ "$(readlink /etc/slurm/$f)" != "$B/etc/$f" ]; then
    echo "/etc/slurm/$f belongs to another SLURM: not touched" >&2; exit 3
  fi
  ln -sfn "$B/etc/$f" /etc/slurm/$f
done

[ -s "$B/etc/munge.key" ] || ( umask 077; head -c 128 /dev/urandom > "$B/etc/munge.key" )
munged --key-file="$B/etc/munge.key" --socket="$B/run/munge.sock" --pid-file="$B/run/munged.pid" \
  --log-file="$B/log/munged.log" --seed-file="$B/state/munge.seed"

# a stand-in GPU has to be a character device called <name><number>
for i in 0 1; do [ -c "$B/dev/fakegpu$i" ] || mknod "$B/dev/fakegpu$i" c 1 3; done
cat > "$B/etc/gres.conf" <<END
AutoDetect=off
NodeName=gn1 Name=gpu Type=fake File=$B/dev/fakegpu[0-1] Flags=nvidia_gpu_env
END
: > "$B/etc/plugstack.conf"
cat > "$SLURM_CONF" <<END
ClusterName=toy
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$B/run/munge.sock
StateSaveLocation=$B/state
SlurmdSpoolDir=$B/spool/%n
SlurmctldPidFile=$B/run/slurmctld.pid
SlurmdPidFile=$B/run/slurmd-%n.pid
SlurmctldLogFile=$B/log/slurmctld.log
SlurmdLogFile=$B/log/slurmd-%n.log
PlugStackConfig=$B/etc/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=5
SlurmctldTimeout=300
SlurmdTimeout=300
MaxArraySize=1001
JobRequeue=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=16819
AccountingStoragePass=$B/run/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=gn1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16901 CPUs=8 RealMemory=16000 Gres=gpu:fake:2 State=UNKNOWN
NodeName=cn1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16902 CPUs=8 RealMemory=16000 State=UNKNOWN
PartitionName=cpu Nodes=cn1 Default=YES MaxTime=1-00:00:00 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=gn1 Default=NO  MaxTime=1-00:00:00 DefMemPerCPU=500 State=UP
END

if [ ! -d "$B/dbdata/mysql" ]; then
  mariadb-install-db --no-defaults --user=root --datadir="$B/dbdata" \
    --auth-root-authentication-method=socket --skip-test-db > "$B/log/mariadb-install.log" 2>&1
fi
setsid mariadbd --no-defaults --user=root --datadir="$B/dbdata" --socket="$B/run/mysql.sock" \
  --pid-file="$B/run/mariadbd.pid" --bind-address=127.0.0.1 --port=13306 \
  --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
  --log-error="$B/log/mariadbd.log" > /dev/null 2>&1 < /dev/null &
for i in $(seq 120); do
  mariadb-admin --no-defaults --socket="$B/run/mysql.sock" ping > /dev/null 2>&1 && break; sleep .5
done
mariadb --no-defaults --socket="$B/run/mysql.sock" -e "
  create database if not exists slurm_acct_db;
  create user if not exists 'slurm'@'localhost' identified by 'slurm';
  create user if not exists 'slurm'@'127.0.0.1' identified by 'slurm';
  grant all on slurm_acct_db.* to 'slurm'@'localhost';
  grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1';"
( umask 077; cat > "$B/etc/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$B/run/munge.sock
DbdHost=localhost
DbdPort=16819
SlurmUser=root
PidFile=$B/run/slurmdbd.pid
LogFile=$B/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
END
)
slurmdbd
for i in $(seq 120); do sacctmgr -n list cluster > /dev/null 2>&1 && break; sleep .5; done
sacctmgr -i add cluster toy > /dev/null 2>&1 || true
sacctmgr -i add account default Cluster=toy > /dev/null 2>&1 || true
sacctmgr -i add user "$(id -un)" account=default > /dev/null 2>&1 || true

slurmctld -i
for node in gn1 cn1; do slurmd -N $node; done
for i in $(seq 120); do
  [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = 2 ] && break; sleep .5
done
sinfo -N -o '%N %T %c %m %G %P'
