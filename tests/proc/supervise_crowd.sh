#!/bin/sh
# Leaves $1 processes: half of them deaf to SIGTERM, half in sessions of their own, one stopped.
i=0
while [ $i -lt "$1" ]; do
	case $((i % 4)) in
	0) sleep 1000 & ;;
	1) (trap '' TERM; exec sleep 1000) & ;;
	2) setsid sleep 1000 & ;;
	3) (trap '' TERM; exec setsid sleep 1000) & ;;
	esac
	i=$((i + 1))
done
kill -STOP $!
exit 5
