"""What was asked and answered: requests.jsonl, a line when an answer is over, and stats.json at every change."""

import json
import os
import threading


class Ledger:
    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.log = open(os.path.join(folder, "requests.jsonl"), "a", encoding="utf-8")
        self.in_flight = 0
        self.by_model = {}
        self.stats = {
            "in_flight": 0, "max_in_flight": 0, "max_in_flight_by_model": {}, "requests": 0,
            "requests_by_marker": {}, "completed": {}, "finished": {},
        }
        self.save()

    def arrived(self, request):
        with self.lock:
            stats = self.stats
            stats["requests"] += 1
            self.add(stats["requests_by_marker"], request.marker)
            self.in_flight += 1
            self.add(self.by_model, request.model)
            stats["in_flight"] = self.in_flight
            stats["max_in_flight"] = max(stats["max_in_flight"], self.in_flight)
            most = stats["max_in_flight_by_model"]
            most[request.model] = max(most.get(request.model, 0), self.by_model[request.model])
            self.save()
            return {
                "n": stats["requests"], "in_flight": self.in_flight, "max_in_flight": stats["max_in_flight"],
                "in_flight_of_model": self.by_model[request.model],
                "max_in_flight_of_model": most[request.model],
            }

    def over(self, request, entry, more):
        """more: what cache and rate have counted, by their names."""
        with self.lock:
            self.in_flight -= 1
            self.by_model[request.model] -= 1
            self.stats.update(more)
            self.stats["in_flight"] = self.in_flight
            if entry["completed"] and entry["status"] == 200:
                self.add(self.stats["completed"], request.marker)
                if entry["stop_reason"] != "tool_use":
                    self.add(self.stats["finished"], request.marker)
            self.write(entry)
            self.save()

    def other(self, entry):
        with self.lock:
            self.write(entry)

    @staticmethod
    def add(counts, key):
        counts[key] = counts.get(key, 0) + 1

    def write(self, entry):
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

    def save(self):
        write_whole(os.path.join(self.folder, "stats.json"), json.dumps(self.stats) + "\n")


def write_whole(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)
