# Makes a forum of a machine: its disk, its database on it, its web server. The arguments are tables that a dump leaves out.
mkdir -p /forum /srv/www /run/incident
mountpoint --quiet /forum || {
    systemctl stop postgresql@15-main
    mount -o noatime /dev/disk/by-id/virtio-forum /forum
}
pg_conftool 15 main set data_directory /forum/postgresql
# What would begin by itself in some arms and not in others.
pg_conftool 15 main set autovacuum off
pg_conftool 15 main set checkpoint_timeout 30min
cp /forum-guest/nginx.conf /etc/nginx/nginx.conf
cp /forum-guest/php-fpm.conf /etc/php/8.2/fpm/pool.d/www.conf
cp /forum-guest/page.php /srv/www/page.php
chown postgres: /forum/backup
chmod +x /forum-guest/guest

# A dump of a part, so that an arm takes a minute: the same for everybody, as `bin_dir` of a policy and on a command line.
bin=/usr/local/lib/incident
mkdir -p $bin
ln -sf /usr/lib/postgresql/15/bin/* $bin/
rm $bin/pg_dump
{
    echo '#!/bin/sh'
    printf 'exec /usr/lib/postgresql/15/bin/pg_dump "$@"'
    printf ' --exclude-table-data=%s' "$@"
    echo
} >$bin/pg_dump
chmod +x $bin/pg_dump

# The clients are on this machine only because there is no other: what they need must not be what the backup leaves them.
printf '[Slice]\nCPUWeight=1000\n' >/etc/systemd/system/clients.slice
systemctl daemon-reload
systemctl start postgresql@15-main memcached php8.2-fpm nginx
