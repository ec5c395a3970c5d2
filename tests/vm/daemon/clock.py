# Takes the clock through every minute from one to another, and lets none end before what cron and the daemon began in it has ended.
# Both have a line that runs every minute: what it wrote shows that the minute was noticed.
#   clock.py FROM TO LINE      seconds since 1970, both at a full minute; the line that runs every minute
import glob, json, os, signal, subprocess, sys, time

first, last, line = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
cron = int(subprocess.check_output(["systemctl", "show", "cron", "--property=MainPID", "--value"]))
PATIENCE = 240


def children(pid):
    try:
        return open(f"/proc/{pid}/task/{pid}/children").read().split()
    except OSError:
        return []


def noticed(who, minute):
    local = time.strftime("%F %R %z", time.localtime(minute))
    try:
        return f"{line} {local}\n" in open(f"/tmp/fired.{who}").readlines()
    except OSError:
        return False


def at_rest():
    status = json.loads(subprocess.check_output(["govern", "status", "--json"]))
    waits = [job["job"] for job in status["jobs"] if job["agenda"] and (job["agenda"]["queued"] or job["agenda"]["retry"])]
    return status["daemon"]["running"] == 0 and not waits


for minute in range(first, last + 1, 60):
    time.clock_settime(time.CLOCK_REALTIME, minute + 2)
    began = quiet = time.monotonic()
    while True:
        now = time.monotonic()
        if now - began > PATIENCE:
            sys.exit(f"minute {minute} does not end: {noticed('cron', minute)} {noticed('govern', minute)}")
        if time.time() > minute + 40:
            time.clock_settime(time.CLOCK_REALTIME, minute + 2)
        # It looks at the clock when it wakes up, and not when somebody sets it. The death of a child wakes it.
        os.kill(cron, signal.SIGCHLD)
        busy = children(cron) or glob.glob("/sys/fs/cgroup/govern.slice/govern-*")
        if busy or not noticed("cron", minute) or not noticed("govern", minute):
            quiet = now
        if now - quiet > 1 and at_rest():
            break
        time.sleep(0.1)
