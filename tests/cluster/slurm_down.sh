#!/bin/bash
# Ends the daemons that slurm_up.sh has started, by the pids in their files, checked by their names.
B=${SLURM_BASE:-${TMPDIR:-/tmp}/gaborscope-slurm}
export SLURM_CONF=$B/etc/slurm.conf

end() { # pid file, name
  [ -s "$1" ] || return 0
  local pid; pid=$(cat "$1")
  case "$(tr '\0' ' ' < /proc/$pid/cmdline 2>/dev/null)" in
    *"$2"*) ;;
    *) rm -f "$1"; return 0 ;;
  esac
  kill "$pid"
  for i in $(seq 40); do [ -d /proc/$pid ] || break; sleep .25; done
  if [ -d /proc/$pid ]; then kill -9 "$pid"; fi
  rm -f "$1"
  echo "ended $2 ($pid)"
}

squeue -h -o %A 2>/dev/null | sort -u | xargs -r scancel 2>/dev/null
sleep 1
end "$B/run/slurmd-cn1.pid" slurmd
end "$B/run/slurmd-gn1.pid" slurmd
end "$B/run/slurmctld.pid" slurmctld
end "$B/run/slurmdbd.pid" slurmdbd
end "$B/run/mariadbd.pid" mariadbd
end "$B/run/munged.pid" munged
for f in slurm.conf gres.conf; do
  if [ "$(readlink /etc/slurm/$f)" = "$B/etc/$f" ]; then rm -f /etc/slurm/$f; fi
done
true
