"""What bench/api, bench/api-rate and bench/api-prefix share: the stand-ins, and one measured run of a program."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STANDIN = os.path.join(HERE, "..", "tests", "standin")


def program_of(argv, doc):
    if len(argv) < 2:
        sys.exit(doc)
    return os.path.abspath(argv[1])


def number(argv, at, default):
    return int(argv[at]) if len(argv) > at else default


def names(count):
    """Of the instances of a matrix, as its list."""
    return ", ".join(f"n{i:06}" for i in range(count))


def wait_for(path, child):
    end = time.monotonic() + 10
    while not os.path.exists(path):
        if time.monotonic() > end or child.poll() is not None:
            sys.exit(f"the stand-in does not start: no {path}")
        time.sleep(0.02)
    with open(path) as f:
        return f.read().strip()


class Fast:
    """tests/standin/h2.mjs with a certificate of its own."""

    def __init__(self, folder, *options):
        self.folder = folder
        os.makedirs(folder)
        key, self.cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", self.cert], check=True, stderr=subprocess.DEVNULL)
        self.child = subprocess.Popen(["node", os.path.join(STANDIN, "h2.mjs"), "--dir", folder, "--key", key, "--cert",
                                       self.cert, "--watch-parent", str(os.getpid()), "--max-seconds", "1800",
                                       *map(str, options)])
        self.url = "https://127.0.0.1:" + wait_for(os.path.join(folder, "port"), self.child)

    def stop(self):
        """Its counts."""
        self.child.terminate()
        self.child.wait()
        with open(os.path.join(self.folder, "stats.json")) as f:
            return json.load(f)


class Scripted:
    """tests/standin/standin.py."""

    def __init__(self, folder, script):
        self.folder = folder
        os.makedirs(folder)
        path = os.path.join(folder, "script.json")
        with open(path, "w") as f:
            json.dump(script, f)
        self.child = subprocess.Popen([os.path.join(STANDIN, "standin.py"), "--dir", folder, "--script", path,
                                       "--watch-parent", str(os.getpid()), "--max-seconds", "1800"])
        self.url = "http://127.0.0.1:" + wait_for(os.path.join(folder, "port"), self.child)

    def stop(self):
        self.child.terminate()
        self.child.wait()
        with open(os.path.join(self.folder, "stats.json")) as f:
            return json.load(f)


def environment(folder, server):
    """Nothing of the user's own."""
    told = {"HOME": folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb",
            "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "bench"}
    if hasattr(server, "cert"):
        told |= {"SSL_CERT_FILE": server.cert, "NODE_EXTRA_CA_CERTS": server.cert}
    return told


def measure(command, folder, env):
    """Wall and CPU seconds, peak memory in KB."""
    start = time.monotonic()
    with open(os.path.join(folder, "said"), "wb") as said:
        child = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if child.returncode != 0:
        with open(os.path.join(folder, "said"), errors="replace") as said:
            sys.exit(f"{command[0]} ended with {child.returncode}: {said.read()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
