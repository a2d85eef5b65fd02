# Starts a user systemd in a separate mount namespace, and runs a command next to it: boot.sh COMMAND [ARGUMENT...]
set -eu

# systemd treats every process of its control group as its own. So create an empty group for it in each hierarchy that
# it uses, and hide the other hierarchies.
groups=""
own_group() {
  parent="$1$2"
  [ -w "$parent/cgroup.procs" ] || { echo "creating a control group in $parent failed: it is not writable" >&2; exit 1; }
  mkdir "$parent/codexlb-test-$$"
  echo $$ >"$parent/codexlb-test-$$/cgroup.procs"
  groups="$groups $parent/codexlb-test-$$"
}
path_in() { sed -n "s/^[0-9]*:$1://p" /proc/self/cgroup; }
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  own_group /sys/fs/cgroup "$(path_in '')"
else
  own_group /sys/fs/cgroup/systemd "$(path_in name=systemd)"
  [ ! -d /sys/fs/cgroup/unified ] || own_group /sys/fs/cgroup/unified "$(path_in '')"
  for hierarchy in /sys/fs/cgroup/*; do
    case "$hierarchy" in */systemd | */unified) continue ;; esac
    [ -L "$hierarchy" ] || umount --lazy "$hierarchy"
  done
fi

mount -t tmpfs tmpfs /run
# systemd checks for the first directory to see whether systemd runs the system, and uses the second to hide
# directories.
mkdir -p /run/systemd/system /run/systemd/inaccessible/dir /run/user/0
chmod 700 /run/user/0
export XDG_RUNTIME_DIR=/run/user/0
/lib/systemd/systemd --user --unit=basic.target </dev/null >"$HOME/systemd.log" 2>&1 &
manager=$!
tries=0
until [ -S "$XDG_RUNTIME_DIR/systemd/private" ] || [ "$tries" -eq 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
code=0
"$@" || code=$?
kill "$manager"
wait "$manager" || true
for group in $groups; do
  echo $$ >"${group%/*}/cgroup.procs"
  find "$group" -depth -type d -exec rmdir {} +
done
exit "$code"
