# Starts the users of the forum: transactions ($1 a second) and pages ($2 a second). Both keep each request's time from when it was due.
client() { systemd-run --quiet --collect --slice=clients.slice --unit="load-$1" "${@:2}"; }
# Half of them write.
client transactions --property=User=postgres -- pgbench --no-vacuum --protocol=prepared --client=8 --rate="$1" --time=36000 \
    --log --log-prefix=/run/incident/transactions --builtin=tpcb-like@1 --builtin=select-only@1 forum
client pages -- /forum-guest/guest incident-pages "$2" /run/incident/pages
