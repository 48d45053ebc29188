/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter specifications of ipsecpol and ipseccmd: what is read as what, and what is refused, with
 * the place. The tables are the definition; a changed line is a changed grammar. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "compat/spec.h"
#include "text/text.h"

enum { TEXT_BYTES = 4096 };

/* As a block; the first remark, NULL = none. */
static const struct {
    const char *word, *text;
    char bracket;
    const char *remark;
} accepted[] = {
    {"*=0:1434:UDP", "block in udp from any to me port 1434", 0, NULL},
    {"*=0:80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"0=*:1434:UDP", "block out udp from me to any port 1434", 0, NULL},
    {"[*=0:1434:UDP]", "block in udp from any to me port 1434", '[', NULL},
    {"(*=0:1434:UDP)", "block in udp from any to me port 1434", '(', NULL},
    {"*=0:135:TCP", "block in tcp from any to me port 135", 0, NULL},
    {"10.1.1.0/255.255.255.0=0:135:TCP", "block in tcp from 10.1.1.0/24 to me port 135", 0, NULL},
    {"10.1.1.0/255.255.255.0=0:5001:TCP", "block in tcp from 10.1.1.0/24 to me port 5001", 0, NULL},
    {"[0=203.0.113.9:*:*]", "block out from me to 203.0.113.9", '[', NULL},
    {"0=*::Icmp", "block out icmp from me to any", 0,
     "ICMP is IPv4 only; for IPv6 add a filter with protocol 58"},
    {"0/255.255.255.255=192.0.2.7/255.255.255.255::", "block out from me to 192.0.2.7", 0, NULL},
    {"192.0.2.7+*:25:Tcp", "block tcp from 192.0.2.7 to any port 25 mirrored", 0, NULL},
    {"192.0.2.5=192.0.2.1:80:TCP", "block tcp from 192.0.2.5 to 192.0.2.1 port 80", 0, NULL},
    {"0:8443+*::TCP", "block out tcp from me port 8443 to any mirrored", 0, NULL},
    {"0+*:53:UDP", "block out udp from me to any port 53 mirrored", 0, NULL},
    {"0+*::47", "block out gre from me to any mirrored", 0, NULL},
    {"*=0", "block in from any to me", 0, NULL},
    {"0=*", "block out from me to any", 0, NULL},
    {"*+0", "block in from any to me mirrored", 0, NULL},
    {"0+*", "block out from me to any mirrored", 0, NULL},
    {"*=*", "block from any to any", 0, NULL},
    {"*+*", "block from any to any mirrored", 0, NULL},
    {"*=0:", "block in from any to me", 0, NULL},
    {"*=0::", "block in from any to me", 0, NULL},
    {"*=0:*", "block in from any to me", 0, NULL},
    {"*=0:0", "block in from any to me", 0, NULL},
    {"*=0:*:*", "block in from any to me", 0, NULL},
    {"*=0:0:*", "block in from any to me", 0, NULL},
    {"*=0::*", "block in from any to me", 0, NULL},
    {"*=0:0:TCP", "block in tcp from any to me", 0, NULL},
    {"*=0:*:TCP", "block in tcp from any to me", 0, NULL},
    {"*=0::TCP", "block in tcp from any to me", 0, NULL},
    {"*=0::tcp", "block in tcp from any to me", 0, NULL},
    {"*=0::udp", "block in udp from any to me", 0, NULL},
    {"*=0::icmp", "block in icmp from any to me", 0,
     "ICMP is IPv4 only; for IPv6 add a filter with protocol 58"},
    {"*=0::raw", "block in 255 from any to me", 0, NULL},
    {"*=0::RAW", "block in 255 from any to me", 0, NULL},
    {"*=0::255", "block in 255 from any to me", 0, NULL},
    {"*=0::0", "block in from any to me", 0, "protocol 0 is read as all protocols"},
    {"*=0::1", "block in icmp from any to me", 0,
     "ICMP is IPv4 only; for IPv6 add a filter with protocol 58"},
    {"*=0::6", "block in tcp from any to me", 0, NULL},
    {"*=0::17", "block in udp from any to me", 0, NULL},
    {"*=0::50", "block in esp from any to me", 0, NULL},
    {"*=0::51", "block in ah from any to me", 0, NULL},
    {"*=0::58", "block in icmpv6 from any to me", 0, NULL},
    {"*=0::132", "block in sctp from any to me", 0, NULL},
    {"*=0:9:132", "block in sctp from any to me port 9", 0, NULL},
    {"*=0:9:33", "block in dccp from any to me port 9", 0, NULL},
    {"*=0:9:136", "block in udplite from any to me port 9", 0, NULL},
    {"*=0:25:6", "block in tcp from any to me port 25", 0, NULL},
    {"*=0:53:17", "block in udp from any to me port 53", 0, NULL},
    {"*=0:65535:TCP", "block in tcp from any to me port 65535", 0, NULL},
    {"*=0:1:TCP", "block in tcp from any to me port 1", 0, NULL},
    {"*=0:00080:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*:1024=0:80:TCP", "block in tcp from any port 1024 to me port 80", 0, NULL},
    {"*:*=0:80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*:0=0:80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*:=0:80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*:=0::", "block in from any to me", 0, NULL},
    {"*:25=0::TCP", "block in tcp from any port 25 to me", 0, NULL},
    {"*:25=0:*:TCP", "block in tcp from any port 25 to me", 0, NULL},
    {"0:25=*::TCP", "block out tcp from me port 25 to any", 0, NULL},
    {"0:25=*:1024:TCP", "block out tcp from me port 25 to any port 1024", 0, NULL},
    {"0:25+*:1024:TCP", "block out tcp from me port 25 to any port 1024 mirrored", 0, NULL},
    {"*:53=0::UDP", "block in udp from any port 53 to me", 0, NULL},
    {"*=0:80,443:TCP", "block in tcp from any to me port 80,443", 0, NULL},
    {"*=0:443,80:TCP", "block in tcp from any to me port 80,443", 0, NULL},
    {"*=0:80,80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*=0:5001-5021:TCP", "block in tcp from any to me port 5001-5021", 0, NULL},
    {"*=0:5001-5021,135:TCP", "block in tcp from any to me port 135,5001-5021", 0, NULL},
    {"*=0:135,136:TCP", "block in tcp from any to me port 135,136", 0, NULL},
    {"*=0:135-136:TCP", "block in tcp from any to me port 135-136", 0, NULL},
    {"*=0:80-80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"*=0:0-1023:TCP", "block in tcp from any to me port 0-1023", 0, NULL},
    {"*=0:0-0:TCP", "block in tcp from any to me port 0", 0, NULL},
    {"*=0:0-65535:TCP", "block in tcp from any to me", 0, NULL},
    {"*=0:1-65535:UDP", "block in udp from any to me port 1-65535", 0, NULL},
    {"*:1024-65535=0:80:TCP", "block in tcp from any port 1024-65535 to me port 80", 0, NULL},
    {"*:20,21=0:1024-65535:TCP", "block in tcp from any port 20,21 to me port 1024-65535", 0, NULL},
    {"192.0.2.1=0", "block in from 192.0.2.1 to me", 0, NULL},
    {"192.0.2.1+0", "block in from 192.0.2.1 to me mirrored", 0, NULL},
    {"0=192.0.2.1", "block out from me to 192.0.2.1", 0, NULL},
    {"0+192.0.2.1", "block out from me to 192.0.2.1 mirrored", 0, NULL},
    {"192.0.2.1=*", "block from 192.0.2.1 to any", 0, NULL},
    {"*=192.0.2.1", "block from any to 192.0.2.1", 0, NULL},
    {"192.0.2.1=192.0.2.2", "block from 192.0.2.1 to 192.0.2.2", 0, NULL},
    {"255.255.255.255=0:67:UDP", "block in udp from 255.255.255.255 to me port 67", 0, NULL},
    {"0=255.255.255.255:67:UDP", "block out udp from me to 255.255.255.255 port 67", 0, NULL},
    {"192.0.2.1/255.255.255.255=0", "block in from 192.0.2.1 to me", 0, NULL},
    {"192.0.2.0/255.255.255.0=0", "block in from 192.0.2.0/24 to me", 0, NULL},
    {"192.0.2.0/255.255.255.128=0:22:TCP", "block in tcp from 192.0.2.0/25 to me port 22", 0, NULL},
    {"10.0.0.0/255.0.0.0=0", "block in from 10.0.0.0/8 to me", 0, NULL},
    {"10.128.0.0/255.128.0.0=0", "block in from 10.128.0.0/9 to me", 0, NULL},
    {"192.0.2.4/255.255.255.252=0", "block in from 192.0.2.4/30 to me", 0, NULL},
    {"192.0.2.4/255.255.255.254=0", "block in from 192.0.2.4/31 to me", 0, NULL},
    {"0.0.0.0/0.0.0.0=0", "block in from 0.0.0.0/0 to me", 0,
     "'0.0.0.0/0.0.0.0' is IPv4 only; * is any address"},
    {"128.0.0.0/128.0.0.0=0", "block in from 128.0.0.0/1 to me", 0, NULL},
    {"192.0.2.77/255.255.255.0=0", "block in from 192.0.2.0/24 to me", 0,
     "'192.0.2.77/255.255.255.0' read as '192.0.2.0/255.255.255.0'"},
    {"192.0.2.77/255.255.255.0=0:80:TCP", "block in tcp from 192.0.2.0/24 to me port 80", 0,
     "'192.0.2.77/255.255.255.0' read as '192.0.2.0/255.255.255.0'"},
    {"10.1.1.0/24=0:135:TCP", "block in tcp from 10.1.1.0/24 to me port 135", 0,
     "'/24' read as '/255.255.255.0'"},
    {"10.1.1.9/24=0:135:TCP", "block in tcp from 10.1.1.0/24 to me port 135", 0,
     "'/24' read as '/255.255.255.0'"},
    {"10.0.0.0/8=0", "block in from 10.0.0.0/8 to me", 0, "'/8' read as '/255.0.0.0'"},
    {"192.0.2.1/32=0", "block in from 192.0.2.1 to me", 0, "'/32' read as '/255.255.255.255'"},
    {"0.0.0.0/0=0", "block in from 0.0.0.0/0 to me", 0, "'/0' read as '/0.0.0.0'"},
    {"10.1.1.9/0=0", "block in from 0.0.0.0/0 to me", 0, "'/0' read as '/0.0.0.0'"},
    {"0/32=*", "block out from me to any", 0, "'/32' read as '/255.255.255.255'"},
    {"*/0=0", "block in from any to me", 0, "'/0' read as '/0.0.0.0'"},
    {"*/0.0.0.0=0", "block in from any to me", 0, NULL},
    {"0/255.255.255.255=*", "block out from me to any", 0, NULL},
    {"*=0/255.255.255.255:80:TCP", "block in tcp from any to me port 80", 0, NULL},
    {"0=192.0.2.0/255.255.255.0:25:TCP", "block out tcp from me to 192.0.2.0/24 port 25", 0, NULL},
    {"0+192.0.2.0/24:25:TCP", "block out tcp from me to 192.0.2.0/24 port 25 mirrored", 0,
     "'/24' read as '/255.255.255.0'"},
    {"198.51.*.*=0", "block in from 198.51.0.0/16 to me", 0, NULL},
    {"198.51.100.*=0", "block in from 198.51.100.0/24 to me", 0, NULL},
    {"198.*.*.*=0", "block in from 198.0.0.0/8 to me", 0, NULL},
    {"0=198.51.*.*", "block out from me to 198.51.0.0/16", 0, NULL},
    {"198.51.*.*=0:80:TCP", "block in tcp from 198.51.0.0/16 to me port 80", 0, NULL},
    {"198.51.100.*:1024=0:80:TCP", "block in tcp from 198.51.100.0/24 port 1024 to me port 80", 0,
     NULL},
    {"0=198.51.100.*:25:TCP", "block out tcp from me to 198.51.100.0/24 port 25", 0, NULL},
    {"0=198.51.100.*::", "block out from me to 198.51.100.0/24", 0, NULL},
    {"0.*.*.*=0", "block in from 0.0.0.0/8 to me", 0, NULL},
    {"www.example.com=0:80:TCP", "block in tcp from www.example.com to me port 80", 0, NULL},
    {"0=www.example.com:80:TCP", "block out tcp from me to www.example.com port 80", 0, NULL},
    {"0=WWW.Example.COM:80:TCP", "block out tcp from me to www.example.com port 80", 0, NULL},
    {"0=www.example.com.:80:TCP", "block out tcp from me to www.example.com port 80", 0, NULL},
    {"0=mail_1.example.com", "block out from me to mail_1.example.com", 0, NULL},
    {"artemis=0:20:TCP", "block in tcp from artemis to me port 20", 0, NULL},
    {"0+artemis:53:UDP", "block out udp from me to artemis port 53 mirrored", 0, NULL},
    {"0=10-20.example.com:80:TCP", "block out tcp from me to 10-20.example.com port 80", 0, NULL},
    {"a=b", "block from a to b", 0, NULL},
    {"0=dead:*:47", "block out gre from me to dead", 0, NULL},
    {"0=a:0:raw", "block out 255 from me to a", 0, NULL},
    {"0=xn--bcher-kva.example", "block out from me to xn--bcher-kva.example", 0, NULL},
    {"0=anyhost", "block out from me to anyhost", 0, NULL},
    {"0=merlin:80:TCP", "block out tcp from me to merlin port 80", 0, NULL},
    {"{eth0}=*:80:TCP", "block out tcp from me to any port 80 on eth0", 0, NULL},
    {"*={eth0}:80:TCP", "block in tcp from any to me port 80 on eth0", 0, NULL},
    {"{enp0s31f6}+192.0.2.1", "block out from me to 192.0.2.1 mirrored on enp0s31f6", 0, NULL},
    {"{br-lan.10}=*", "block out from me to any on br-lan.10", 0, NULL},
    {"*={wlan0}", "block in from any to me on wlan0", 0, NULL},
    {"(10.1.1.9=0:135:TCP)", "block in tcp from 10.1.1.9 to me port 135", '(', NULL},
    {"(10.1.1.0/255.255.255.0=0:135:TCP)", "block in tcp from 10.1.1.0/24 to me port 135", '(',
     NULL},
    {"[*=0]", "block in from any to me", '[', NULL},
    {"(0+*)", "block out from me to any mirrored", '(', NULL},
    {"[0=*::ICMP]", "block out icmp from me to any", '[',
     "ICMP is IPv4 only; for IPv6 add a filter with protocol 58"},
    {"[198.51.*.*=0:80:TCP]", "block in tcp from 198.51.0.0/16 to me port 80", '[', NULL},
    {"[www.example.com=0]", "block in from www.example.com to me", '[', NULL},
    {"[{eth0}=*]", "block out from me to any on eth0", '[', NULL},
    {"[*:53=0::UDP]", "block in udp from any port 53 to me", '[', NULL},
    {"*0=:1434:UDP", "block out udp from me to any port 1434", 0,
     "read '*0=:1434:UDP' as '0=*:1434:UDP'"},
    {"*0=:80:TCP", "block out tcp from me to any port 80", 0, "read '*0=:80:TCP' as '0=*:80:TCP'"},
    {"*0=:80:tcp", "block out tcp from me to any port 80", 0, "read '*0=:80:tcp' as '0=*:80:tcp'"},
    {"*0=::TCP", "block out tcp from me to any", 0, "read '*0=::TCP' as '0=*::TCP'"},
    {"*0=:5001-5021:TCP", "block out tcp from me to any port 5001-5021", 0,
     "read '*0=:5001-5021:TCP' as '0=*:5001-5021:TCP'"},
    {"[*0=:1434:UDP]", "block out udp from me to any port 1434", '[',
     "read '[*0=:1434:UDP]' as '[0=*:1434:UDP]'"},
    {"(*0=:1434:UDP)", "block out udp from me to any port 1434", '(',
     "read '(*0=:1434:UDP)' as '(0=*:1434:UDP)'"},
    {"DEFAULT", "DEFAULT", 0, NULL},
    {"default", "DEFAULT", 0, NULL},
    {"Default", "DEFAULT", 0, NULL},
    {"[DEFAULT]", "DEFAULT", '[', NULL},
    {"192.0.2.1:4000=192.0.2.2:80:TCP", "block tcp from 192.0.2.1 port 4000 to 192.0.2.2 port 80",
     0, NULL},
    {"192.0.2.1:4000+192.0.2.2:80:TCP",
     "block tcp from 192.0.2.1 port 4000 to 192.0.2.2 port 80 mirrored", 0, NULL},
    {"192.0.2.0/255.255.255.0:4000=0:80:TCP",
     "block in tcp from 192.0.2.0/24 port 4000 to me port 80", 0, NULL},
    {"192.0.2.0/255.255.255.0+198.51.100.0/255.255.255.0",
     "block from 192.0.2.0/24 to 198.51.100.0/24 mirrored", 0, NULL},
    {"0=192.0.2.1::ICMP", "block out icmp from me to 192.0.2.1", 0, NULL},
    {"192.0.2.1=0::ICMP", "block in icmp from 192.0.2.1 to me", 0, NULL},
    {"192.0.2.1=0::icmp", "block in icmp from 192.0.2.1 to me", 0, NULL},
    {"0=192.0.2.1::1", "block out icmp from me to 192.0.2.1", 0, NULL},
    {"*=0:3389:Tcp", "block in tcp from any to me port 3389", 0, NULL},
    {"*=0:3389:tCP", "block in tcp from any to me port 3389", 0, NULL},
    {"0=*:25:TCP", "block out tcp from me to any port 25", 0, NULL},
    {"0=*:6667-6669:TCP", "block out tcp from me to any port 6667-6669", 0, NULL},
    {"*=0:137-139:UDP", "block in udp from any to me port 137-139", 0, NULL},
    {"*=0:445:TCP", "block in tcp from any to me port 445", 0, NULL},
    {"*=0:445:UDP", "block in udp from any to me port 445", 0, NULL},
    {"0=*:69:UDP", "block out udp from me to any port 69", 0, NULL},
    {"*=0:500:UDP", "block in udp from any to me port 500", 0, NULL},
    {"*+0:500:UDP", "block in udp from any to me port 500 mirrored", 0, NULL},
    {"*=0::2", "block in igmp from any to me", 0, NULL},
    {"*=0::89", "block in ospf from any to me", 0, NULL},
    {"*=0::41", "block in ipv6 from any to me", 0, NULL},
    {"0:68=*:67:UDP", "block out udp from me port 68 to any port 67", 0, NULL},
    {"*:67=0:68:UDP", "block in udp from any port 67 to me port 68", 0, NULL},
    {"0:123+*:123:UDP", "block out udp from me port 123 to any port 123 mirrored", 0, NULL},
    {"127.0.0.1=0", "block in from 127.0.0.1 to me", 0, NULL},
    {"224.0.0.5=0", "block in from 224.0.0.5 to me", 0, NULL},
    {"0=224.0.0.0/240.0.0.0", "block out from me to 224.0.0.0/4", 0, NULL},
    {"1.2.3.4=5.6.7.8:1:17", "block udp from 1.2.3.4 to 5.6.7.8 port 1", 0, NULL},
};

static const struct {
    const char *word;
    uint32_t offset, len;
    const char *message, *hint;
} refused[] = {
    {"", 0, 1, "filter is empty", "for example *=0:1434:UDP"},
    {"[]", 1, 1, "filter is empty", "for example *=0:1434:UDP"},
    {"()", 1, 1, "filter is empty", "for example *=0:1434:UDP"},
    {"[", 0, 1, "'[' is not closed", ""},
    {"(", 0, 1, "'(' is not closed", ""},
    {"]", 0, 1, "']' was not opened", ""},
    {"*", 0, 1, "no '=' or '+' between source and destination",
     "for example *=0:1434:UDP; + also covers the other direction"},
    {"0", 0, 1, "no '=' or '+' between source and destination",
     "for example *=0:1434:UDP; + also covers the other direction"},
    {"=", 0, 1, "the source is missing", "write *=, where * is any address"},
    {"+", 0, 1, "the source is missing", "write *+, where * is any address"},
    {"*0", 0, 2, "no '=' or '+' between source and destination",
     "for example *=0:1434:UDP; + also covers the other direction"},
    {"*=", 1, 1, "the destination is missing", "write *=0, where 0 is this host"},
    {"=0", 0, 1, "the source is missing", "write *=0, where * is any address"},
    {"=0:80:TCP", 0, 1, "the source is missing", "write *=0:80:TCP, where * is any address"},
    {"+0:80:TCP", 0, 1, "the source is missing", "write *+0:80:TCP, where * is any address"},
    {"*=:80:TCP", 1, 1, "the destination is missing", "write *=0:80:TCP, where 0 is this host"},
    {"*+:80:TCP", 1, 1, "the destination is missing", "write *+0:80:TCP, where 0 is this host"},
    {"*==0", 2, 1, "second '=' in one filter", "several filters are separated by blanks"},
    {"*=0=0", 3, 1, "second '=' in one filter", "several filters are separated by blanks"},
    {"*+0=0", 3, 1, "second '=' in one filter", "several filters are separated by blanks"},
    {"*=0+0:80:TCP", 3, 1, "second '+' in one filter", "several filters are separated by blanks"},
    {"*0:80:TCP", 0, 9, "no '=' or '+' between source and destination",
     "for example *=0:1434:UDP; + also covers the other direction"},
    {"*=0:80", 4, 2, "a port needs TCP or UDP", "write *=0:80:TCP"},
    {"0=*:53", 4, 2, "a port needs TCP or UDP", "write 0=*:53:TCP"},
    {"*:25=0", 2, 2, "a port needs TCP or UDP", "write *:25=0::TCP"},
    {"*:25=0::", 2, 2, "a port needs TCP or UDP", "end the filter with :TCP or :UDP"},
    {"*=0:80:", 4, 2, "a port needs TCP or UDP", "end the filter with :TCP or :UDP"},
    {"*=0:80:*", 4, 2, "a port needs TCP or UDP", "end the filter with :TCP or :UDP"},
    {"*=0:TCP", 4, 3, "'TCP' stands where the port is expected",
     "a protocol without a port has two colons before it: ::TCP"},
    {"*=0:udp", 4, 3, "'udp' stands where the port is expected",
     "a protocol without a port has two colons before it: ::udp"},
    {"*=0:http:TCP", 4, 4, "'http' is not a port", "write its number: 80"},
    {"*=0:foo:TCP", 4, 3, "'foo' is not a port",
     "a number 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:65536:TCP", 4, 5, "port '65536' is out of range",
     "ports are 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:70000:TCP", 4, 5, "port '70000' is out of range",
     "ports are 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:99999999999:UDP", 4, 11, "port '99999999999' is out of range",
     "ports are 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:-1:TCP", 4, 2, "range of ports '-1' has no beginning", "for example 5001-5021"},
    {"*=0:80-:TCP", 4, 3, "range of ports '80-' has no end", "for example 5001-5021"},
    {"*=0:-80:TCP", 4, 3, "range of ports '-80' has no beginning", "for example 5001-5021"},
    {"*=0:90-80:TCP", 4, 5, "range of ports '90-80' ends before it begins", "write 80-90"},
    {"*=0:80,:TCP", 7, 1, "empty item in a list of ports", "for example 80,443,5001-5021"},
    {"*=0:,80:TCP", 4, 1, "empty item in a list of ports", "for example 80,443,5001-5021"},
    {"*=0:80,,443:TCP", 7, 1, "empty item in a list of ports", "for example 80,443,5001-5021"},
    {"*=0:0,80:TCP", 4, 1, "0 means all ports and cannot stand in a list",
     "leave the port out for all ports"},
    {"*=0:*,80:TCP", 4, 1, "'*' is not a port",
     "a number 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:1-2-3:TCP", 6, 3, "'2-3' is not a port",
     "a number 1 to 65535; nothing, 0 or * means all ports"},
    {"*:http=0::TCP", 2, 4, "'http' is not a port", "write its number: 80"},
    {"*:99999=0:80:TCP", 2, 5, "port '99999' is out of range",
     "ports are 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:80:ICMP", 4, 2, "protocol 'ICMP' has no ports", "write *=0::ICMP"},
    {"*=0:80:1", 4, 2, "protocol '1' has no ports", "write *=0::1"},
    {"*=0:80:47", 4, 2, "protocol '47' has no ports", "write *=0::47"},
    {"*:25=0::ICMP", 2, 2, "protocol 'ICMP' has no ports", "write *=0::ICMP"},
    {"*=0:80:RAW", 4, 2, "protocol 'RAW' has no ports", "write *=0::RAW"},
    {"*=0:80:TPC", 7, 3, "unknown protocol 'TPC'", "did you mean TCP?"},
    {"*=0:80:TCPX", 7, 4, "unknown protocol 'TCPX'", "did you mean TCP?"},
    {"*=0::gre", 5, 3, "unknown protocol 'gre'", "write its number: 47"},
    {"*=0::esp", 5, 3, "unknown protocol 'esp'", "write its number: 50"},
    {"*=0::256", 5, 3, "protocol '256' is out of range",
     "protocols are 0 to 255; without one all are meant"},
    {"*=0::1000", 5, 4, "protocol '1000' is out of range",
     "protocols are 0 to 255; without one all are meant"},
    {"*=0::-1", 5, 2, "unknown protocol '-1'", "TCP, UDP, ICMP, RAW or a number 0 to 255"},
    {"*=0:80:TCP:1", 10, 2, "too many colons in the destination",
     "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL"},
    {"*=0:80:TCP:", 10, 1, "too many colons in the destination",
     "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL"},
    {"192.0.2.1:*:*+*", 11, 2, "the protocol stands at the end, on the destination side",
     "write 192.0.2.1:*+*::*"},
    {"192.0.2.1:80:TCP=0", 12, 4, "the protocol stands at the end, on the destination side",
     "write 192.0.2.1:80=0::TCP"},
    {"192.0.2.1:80:TCP=0:90", 12, 4, "the protocol stands at the end, on the destination side",
     "write 192.0.2.1:80=0:90:TCP"},
    {"192.0.2.1:80:TCP=0:90:UDP", 12, 4, "the protocol stands at the end, on the destination side",
     ""},
    {"*:1:2:3=0", 5, 2, "too many colons in the source",
     "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL"},
    {"0=0", 2, 1, "both sides are this host", "write * on one side for any address"},
    {"0+0:80:TCP", 2, 1, "both sides are this host", "write * on one side for any address"},
    {"0=0/255.255.255.255", 2, 17, "both sides are this host",
     "write * on one side for any address"},
    {"{eth0}=0", 7, 1, "both sides are this host", "write * on one side for any address"},
    {"{eth0}={eth1}", 7, 6, "an interface on both sides", "write * on one side for any address"},
    {"{}=*", 0, 2, "'{}' is not an interface", "for example {eth0}"},
    {"{eth0=*", 0, 5, "'{eth0' is not an interface", "for example {eth0}"},
    {"eth0}=*", 0, 5, "'eth0}' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"{averyverylonginterface}=*", 0, 24, "'{averyverylonginterface}' is not an interface",
     "for example {eth0}"},
    {"{12345678-1234-1234-1234-123456789ABC}=*", 1, 36,
     "an interface is named by its name here, not by a GUID", "for example {eth0}"},
    {"{eth0}/255.0.0.0=*", 0, 16, "'{eth0}/255.0.0.0' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"192.0.2=0", 0, 7, "address '192.0.2' has 3 octets, not 4",
     "write four octets, for example 192.0.2.1"},
    {"192.0.2.=0", 8, 1, "empty octet in the address", "write four octets, for example 192.0.2.1"},
    {"192.0.2.1.5=0", 10, 1, "address '192.0.2.1.5' has more than 4 octets",
     "write four octets, for example 192.0.2.1"},
    {"192.0.2.256=0", 8, 3, "octet '256' is out of range", "octets are 0 to 255"},
    {"192.0.2.1000=0:80:TCP", 8, 4, "octet '1000' is out of range", "octets are 0 to 255"},
    {"192.0.02.1=0", 6, 2, "octet '02' has a leading zero",
     "write 2; some programs would read it as octal"},
    {".192.0.2=0", 0, 1, "empty octet in the address", "write four octets, for example 192.0.2.1"},
    {"10=0", 0, 2, "address '10' has 1 octet, not 4", "write four octets, for example 192.0.2.1"},
    {"12345=*", 0, 5, "octet '12345' is out of range", "octets are 0 to 255"},
    {"192.0.2.x=0", 8, 1, "'x' is not an octet", "write four octets, for example 192.0.2.1"},
    {"192.0.2.0/255.255.255=0", 10, 11, "mask '255.255.255' has 3 octets, not 4",
     "write four octets, for example 255.255.255.0"},
    {"192.0.2.0/255.0.255.0=0", 16, 3, "mask '255.0.255.0' is not contiguous",
     "ones come first, for example 255.255.255.0"},
    {"192.0.2.0/255.255.255.1=0", 22, 1, "mask '255.255.255.1' is not contiguous",
     "ones come first, for example 255.255.255.0"},
    {"192.0.2.0/0.0.0.255=0", 16, 3, "mask '0.0.0.255' is not contiguous",
     "ones come first, for example 255.255.255.0"},
    {"192.0.2.0/255.255.254.128=0", 22, 3, "mask '255.255.254.128' is not contiguous",
     "ones come first, for example 255.255.255.0"},
    {"192.0.2.0/256.0.0.0=0", 10, 3, "octet '256' is out of range", "octets are 0 to 255"},
    {"192.0.2.0/33=0", 10, 2, "length of prefix '33' is out of range",
     "write a mask, for example 255.255.255.0"},
    {"192.0.2.0/=0", 10, 1, "the mask is missing", "for example 255.255.255.0"},
    {"192.0.2.0/mask=0", 10, 4, "'mask' is not a mask", "for example 255.255.255.0"},
    {"/255.255.255.0=0", 0, 14, "there is no address before '/'",
     "for example 192.0.2.0/255.255.255.0"},
    {"192.0.2.0/24/24=0", 10, 5, "'24/24' is not a mask", "for example 255.255.255.0"},
    {"0/255.255.255.0=*", 2, 13, "0 is the addresses of this host and takes no mask",
     "leave out '/255.255.255.0'"},
    {"0/24=*", 2, 2, "0 is the addresses of this host and takes no mask", "leave out '/24'"},
    {"*/255.0.0.0=0", 2, 9, "* is every address and takes no mask", "leave out '/255.0.0.0'"},
    {"*/8=0", 2, 1, "* is every address and takes no mask", "leave out '/8'"},
    {"0.0.0.0=0:80:TCP", 0, 7, "0.0.0.0 is no address of a host",
     "0 is this host, * is any address"},
    {"0.0.0.0/255.255.255.255=0", 0, 7, "0.0.0.0 is no address of a host",
     "0 is this host, * is any address"},
    {"198.*.100.*=0", 4, 1, "'*' before the end of an address",
     "asterisks stand at the end: 198.51.*.*; else use a mask"},
    {"*.51.100.1=0", 0, 1, "'*' before the end of an address",
     "asterisks stand at the end: 198.51.*.*; else use a mask"},
    {"198.51.*=0", 0, 8, "address '198.51.*' has 3 octets, not 4", "write 198.51.*.*"},
    {"198.*=0", 0, 5, "address '198.*' has 2 octets, not 4", "write 198.*.*.*"},
    {"198.51.*.*/255.255.0.0=0", 11, 11, "asterisks and a mask in one address",
     "leave out '/255.255.0.0'"},
    {"*.*.*.*=0", 0, 7, "'*.*.*.*' is not a word of this grammar", "write *"},
    {"19*.0.2.1=0", 0, 3, "'19*' is not an octet", "write four octets, for example 192.0.2.1"},
    {"192.0.2.1-192.0.2.9=0", 0, 19, "'192.0.2.1-192.0.2.9' is neither an address nor a name",
     "ranges of addresses have no form here; use a mask"},
    {"192.0.2.1,192.0.2.2=0", 0, 19, "'192.0.2.1,192.0.2.2' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"www.example.com/255.0.0.0=0", 16, 9, "a mask goes with an address in numbers only",
     "leave out '/255.0.0.0'"},
    {"www..example.com=0", 0, 16, "'www..example.com' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"-www=0", 0, 4, "'-www' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"www.example.com/=0", 0, 16, "'www.example.com/' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"exam!ple=0", 0, 8, "'exam!ple' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"ex\xc3"
     "\xa4"
     "mple=0",
     0, 8,
     "'ex\xc3"
     "\xa4"
     "mple' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"any=me:80:TCP", 0, 3, "'any' is not a word of this grammar", "write *"},
    {"*=me:80:TCP", 2, 2, "'me' is not a word of this grammar", "write 0"},
    {"any=0", 0, 3, "'any' is not a word of this grammar", "write *"},
    {"gateway=0", 0, 7, "'gateway' is not a word of this grammar",
     "server keywords are known to netsh ipsec and to portward"},
    {"DNS=0:53:UDP", 0, 3, "'DNS' is not a word of this grammar",
     "server keywords are known to netsh ipsec and to portward"},
    {"2001:db8::1=0:80:TCP", 0, 11, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"*=2001:db8::1:80:TCP", 2, 18, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"[2001:db8::1]=0:80:TCP", 0, 13, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"*=[2001:db8::1]:80:TCP", 2, 13, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"[2001:db8::1]", 0, 13, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"::1=0", 1, 2, "the protocol stands at the end, on the destination side", "write :=0::1"},
    {"*=fe80::1", 2, 7, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"2001:db8::/32=0", 0, 13, "an IPv6 address cannot be written in a filter of this form",
     "use the native words: portward block in tcp from 2001:db8::1 to me port 80"},
    {"[=0:80:TCP]", 1, 1, "the source is missing", "write [*=0:80:TCP], where * is any address"},
    {"(*=:80:TCP)", 2, 1, "the destination is missing", "write (*=0:80:TCP), where 0 is this host"},
    {"(*=0:80)", 5, 2, "a port needs TCP or UDP", "write (*=0:80:TCP)"},
    {"[*=0:80:ICMP]", 5, 2, "protocol 'ICMP' has no ports", "write [*=0::ICMP]"},
    {"[192.0.2.1:80:TCP=0]", 13, 4, "the protocol stands at the end, on the destination side",
     "write [192.0.2.1:80=0::TCP]"},
    {"[*=0:1434:UDP", 0, 1, "'[' is not closed", "write [*=0:1434:UDP]"},
    {"*=0:1434:UDP]", 12, 1, "']' was not opened", "write [*=0:1434:UDP]"},
    {"(*=0:1434:UDP", 0, 1, "'(' is not closed", "write (*=0:1434:UDP)"},
    {"*=0:1434:UDP)", 12, 1, "')' was not opened", "write (*=0:1434:UDP)"},
    {"[*=0:1434:UDP)", 13, 1, "'[' is closed by ')'", "write [*=0:1434:UDP]"},
    {"(*=0:1434:UDP]", 13, 1, "'(' is closed by ']'", "write (*=0:1434:UDP)"},
    {"[[*=0:1434:UDP]]", 1, 1, "'[' inside a filter",
     "brackets stand around the whole filter: [*=0:1434:UDP]"},
    {"*=[0]:1434:UDP", 2, 1, "'[' inside a filter",
     "brackets stand around the whole filter: [*=0:1434:UDP]"},
    {"* = 0: 23: TCP", 1, 1, "blank inside a filter", "write *=0:23:TCP"},
    {"*=0:1434: UDP", 9, 1, "blank inside a filter", "write *=0:1434:UDP"},
    {" *=0:1434:UDP", 0, 1, "blank inside a filter", "write *=0:1434:UDP"},
    {"*=0:1434:UDP ", 12, 1, "blank inside a filter", "write *=0:1434:UDP"},
    {"[* = 0: 1434: UDP]", 2, 1, "blank inside a filter", "write [*=0:1434:UDP]"},
    {"%SUBNET%/%MASK%=0:%PORT%:TCP", 0, 8, "placeholder '%SUBNET%' was not filled in",
     "write a value in its place"},
    {"*=0:%PORT%:TCP", 4, 6, "placeholder '%PORT%' was not filled in",
     "write a value in its place"},
    {"\"*=0:80:TCP\"", 0, 2, "'\"*' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"'*=0:80:TCP'", 0, 2, "''*' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"192.0.2.1=0::58", 13, 2, "protocol 58 is ICMPv6, but an address is IPv4", "write ICMP"},
    {"*=0:80:TCP-n", 7, 5, "unknown protocol 'TCP-n'", "TCP, UDP, ICMP, RAW or a number 0 to 255"},
    {"DEFAULT=0:0:0:0", 13, 2, "too many colons in the destination",
     "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL"},
    {"*=0;80:TCP", 2, 4, "'0;80' is neither an address nor a name",
     "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0"},
    {"*=0/80/TCP", 4, 6, "'80/TCP' is not a mask", "for example 255.255.255.0"},
    {"*=0:80.5:TCP", 4, 4, "'80.5' is not a port",
     "a number 1 to 65535; nothing, 0 or * means all ports"},
    {"*=0:+80:TCP", 4, 1, "second '+' in one filter", "several filters are separated by blanks"},
};

static void read_accepted(size_t i, struct tool_run *t, struct ipsec_spec *spec)
{
    struct diag d = {0};
    tool_run_init(t, NULL, NULL);
    filter_init(&spec->filter);
    if (ipsec_spec_parse(t, accepted[i].word, &d, spec) != 0)
        fail_msg("'%s' is refused: %s", accepted[i].word, d.message);
}

static void test_accepted(void **state)
{
    (void)state;
    assert_true(ARRAY_SIZE(accepted) >= 150);
    for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
        _cleanup_(tool_run_done) struct tool_run t;
        _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0};
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        read_accepted(i, &t, &spec);
        if (spec.is_default) {
            assert_string_equal("DEFAULT", accepted[i].text);
            continue;
        }
        spec.filter.action = ACTION_BLOCK;
        assert_int_equal(text_print_filter(&spec.filter, &text), 0);
        if (strcmp(text.s, accepted[i].text) != 0)
            fail_msg("'%s' is read as '%s'", accepted[i].word, text.s);
        assert_int_equal(spec.bracket, accepted[i].bracket);
        assert_int_equal(t.n_remarks > 0, accepted[i].remark != NULL);
        if (accepted[i].remark)
            assert_string_equal(t.remarks[0].text, accepted[i].remark);
        bool name = spec.filter.src.name || spec.filter.dst.name;
        assert_int_equal(spec.is_dns, name);
    }
}

static void test_refused(void **state)
{
    (void)state;
    assert_true(ARRAY_SIZE(refused) >= 60);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        _cleanup_(tool_run_done) struct tool_run t;
        struct ipsec_spec spec = {0}, untouched = {0};
        struct diag d = {0};
        tool_run_init(&t, NULL, NULL);
        if (ipsec_spec_parse(&t, refused[i].word, &d, &spec) != -EINVAL)
            fail_msg("'%s' is accepted", refused[i].word);
        assert_memory_equal(&spec, &untouched, sizeof(spec));
        if (strcmp(d.message, refused[i].message) != 0 || strcmp(d.hint, refused[i].hint) != 0)
            fail_msg("'%s': %s; %s", refused[i].word, d.message, d.hint);
        assert_int_equal(diag_exit_code(d.code), 2);
        assert_ptr_equal(t.word, refused[i].word);
        assert_int_equal(d.n_spans, 1);
        if (d.span[0].offset != refused[i].offset || d.span[0].len != refused[i].len)
            fail_msg("'%s': place %u+%u", refused[i].word, d.span[0].offset, d.span[0].len);
        assert_int_equal(d.span[0].column, d.span[0].offset + 1);
    }
}

/* What is accepted prints as one word that reads back as the same packets. */
static void test_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
        _cleanup_(tool_run_done) struct tool_run t, t2;
        _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0}, back = {0};
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        struct diag d = {0};
        const char *why = NULL;
        read_accepted(i, &t, &spec);
        tool_run_init(&t2, NULL, NULL);
        filter_init(&back.filter);
        if (spec.is_default)
            continue;
        assert_int_equal(ipsec_spec_print(&spec.filter, &text, &why), 0);
        assert_null(strchr(text.s, '\n'));
        assert_int_equal(ipsec_spec_parse(&t2, text.s, &d, &back), 0);
        assert_true(filter_eq(&spec.filter, &back.filter));
    }
}

static const struct {
    const char *text, *why;
} unprintable[] = {
    {"block in from 2001:db8::1 to me", "IPv6 addresses have no form"},
    {"block in from 2001:db8::/32 to me", "IPv6 addresses have no form"},
    {"block in from 10.0.0.1-10.0.0.9 to me", "ranges of addresses have no form"},
    {"block in udp from dns to me port 53", "server keywords have no form"},
    {"block in from gateway to me", "server keywords have no form"},
    {"block from me to me", "this host on both sides has no form"},
    {"block in 0 from any to me", "protocol 0 means all protocols there"},
    {"block in icmp type 8 from any to me", "ICMP types have no form"},
    {"block in from any to me profile public", "profiles have no form"},
    {"permit out udp from me to 192.0.2.53 port 53 keep state", "'keep state' has no form"},
    {"block from any to any on eth0",
     "an interface has a form only in the place of this host's address"},
    {"block in from 0.0.0.0 to me", "0.0.0.0 has no form as a host"},
    {"block in from \"any\" to me", "the name cannot be told from another word there"},
    {"block in from \"me\" to me", "the name cannot be told from another word there"},
};

static void test_unprintable(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unprintable); i++) {
        _cleanup_(filter_done) struct filter f;
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        struct diag d = {0};
        const char *why = NULL;
        filter_init(&f);
        if (text_parse_filter(unprintable[i].text, strlen(unprintable[i].text), &d, &f) != 0)
            fail_msg("'%s': %s", unprintable[i].text, d.message);
        assert_int_equal(ipsec_spec_print(&f, &text, &why), -EOPNOTSUPP);
        assert_string_equal(why, unprintable[i].why);
        assert_int_equal(text.len, 0);
    }
}

static void test_long(void **state)
{
    (void)state;
    _cleanup_(tool_run_done) struct tool_run t;
    struct ipsec_spec spec = {0};
    struct diag d = {0};
    char word[1100];
    tool_run_init(&t, NULL, NULL);
    memset(word, '1', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(ipsec_spec_parse(&t, word, &d, &spec), -EINVAL);
    assert_string_equal(d.message, "filter is longer than 1024 bytes");
    /* 64 ports are as many as a native list takes. */
    size_t n = format_into(word, sizeof(word), "*=0:");
    for (unsigned i = 0; i < 65; i++)
        n += format_into(word + n, sizeof(word) - n, "%s%u", i > 0 ? "," : "", 1000 + i);
    (void)format_into(word + n, sizeof(word) - n, ":TCP");
    assert_int_equal(ipsec_spec_parse(&t, word, &d, &spec), -EINVAL);
    assert_string_equal(d.message, "more than 64 ports in one list");
}

static void test_strict(void **state)
{
    (void)state;
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0};
    struct diag d = {0};
    tool_run_init(&t, NULL, NULL);
    filter_init(&spec.filter);
    t.strict = true;
    assert_int_equal(ipsec_spec_parse(&t, "*0=:1434:UDP", &d, &spec), -EINVAL);
    assert_int_equal(diag_exit_code(d.code), 2);
    assert_int_equal(ipsec_spec_parse(&t, "*=0:5001-5021:TCP", &d, &spec), 0);
    assert_int_equal(t.n_remarks, 1);
    assert_int_equal(t.remarks[0].kind, NOTE);
    assert_string_equal(t.remarks[0].text,
                        "'5001-5021': lists and ranges of ports are an extension");
}

static int own_addresses(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n)
{
    (void)d;
    *ret = calloc(1, sizeof(**ret));
    assert_non_null(*ret);
    (*ret)[0] = addr_host(FAMILY_4, (struct ip){0, *(const uint32_t *)ctx});
    *ret_n = 1;
    return 0;
}

/* A pair of addresses of which none is ours is most likely a mistake. */
static void test_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool warned;
    } words[] = {
        {"192.0.2.5=192.0.2.1:80:TCP", false},
        {"192.0.2.1=192.0.2.5:80:TCP", false},
        {"192.0.2.5=192.0.2.6:80:TCP", true},
        {"192.0.2.0/255.255.255.0=198.51.100.1", false},
        {"198.51.100.0/255.255.255.0=203.0.113.1", true},
        {"192.0.2.5=0:80:TCP", false},
        {"192.0.2.5=*:80:TCP", false},
        {"192.0.2.5=www.example.com:80:TCP", false},
    };
    uint32_t own = 0xc0000201; /* 192.0.2.1 */
    struct tool_host host = {.ctx = &own, .addresses = own_addresses};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        _cleanup_(tool_run_done) struct tool_run t;
        _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0};
        struct diag d = {0};
        tool_run_init(&t, NULL, &host);
        filter_init(&spec.filter);
        assert_int_equal(ipsec_spec_parse(&t, words[i].word, &d, &spec), 0);
        assert_int_equal(t.n_remarks, words[i].warned);
        if (words[i].warned)
            assert_int_equal(t.remarks[0].kind, NOTE_WARNING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_print),    cmocka_unit_test(test_unprintable),
        cmocka_unit_test(test_long),     cmocka_unit_test(test_strict),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
