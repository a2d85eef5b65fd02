# Starts a user's systemd in a mount namespace of its own, and runs a command beside it: boot.sh COMMAND [ARGUMENT...]
set -eu
mount -t tmpfs tmpfs /run
# systemd looks for the first to see whether it runs the system, and uses the second to hide directories.
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
exit "$code"
