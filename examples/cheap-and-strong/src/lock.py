import os
import time


def lock(path, stale_after=60):
    while not create(path):
        if age(path) > stale_after:
            unlock(path)
        else:
            time.sleep(0.1)


def create(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return True
    except FileExistsError:
        return False


def age(path):
    try:
        return time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return 0


def unlock(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
