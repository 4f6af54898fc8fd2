#!/bin/sh
# Notes in folder $1 each SIGINT and SIGTERM that it gets, and goes on.
trap 'echo INT >>"$1/got"' INT
trap 'echo TERM >>"$1/got"' TERM
echo $$ >"$1/leader.pid"
while :; do
	sleep 0.05
done
