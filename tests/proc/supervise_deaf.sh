#!/bin/sh
# Deaf to SIGINT and SIGTERM, with a child as deaf in another session; their pids go to folder $1.
trap '' INT TERM
echo $$ >"$1/leader.pid"
setsid sh -c 'echo $$ >"$0/grand.tmp"; mv "$0/grand.tmp" "$0/grand.pid"; exec sleep 1000' "$1" &
while :; do
	sleep 1000
done
