# Ends the users of the forum, the way that leaves their logs whole: pgbench takes the alarm as the end of its time.
systemctl kill --signal=ALRM load-transactions
systemctl kill --signal=TERM load-pages
for _ in $(seq 300); do
    [ -z "$(systemctl list-units --quiet --plain 'load-transactions*' 'load-pages*')" ] && break
    sleep 0.2
done
