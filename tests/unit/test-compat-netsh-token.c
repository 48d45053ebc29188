/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test-compat-netsh-token.c: netsh lines in all corners of tokenising (windows.md 6).
 * Each line of the table runs twice, as the shell's arguments and as a script, on a catalog with a
 * list "webs", an action "block all" and a policy "P"; it makes exactly the filter or the object
 * that is given, or is refused with exactly this message, and then nothing is changed. */
#include "netsh-help.h"

#define WEBS "ipsec static add filter filterlist=webs "

struct line {
    const char *line;
    const char
        *filter; /* the last one of the list "webs", or what begins with '!' of the catalog */
    const char *error, *hint;
    const char *note;
};

static const struct line lines[] = {
    /* --- contexts and verbs: any prefix, any case --- */
    {"ipsec static add filter webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {"IPSEC STATIC ADD FILTER webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {"ips st add filter webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {"ip s a filter webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {"ipsec stat ad filter webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {"ipsec st del filter webs any 10.9.9.9", "block tcp from 10.9.9.9 to me port 1", NULL, NULL,
     NULL},
    {"ips st del pol P", "!no policy P", NULL, NULL, NULL},
    {"ips st d pol P", NULL, "command 'd' can be several things",
     "one of: dump, add, delete, set, show, exportpolicy, importpolicy", NULL},
    {"ipsec static s pol all", NULL, "command 's' can be several things", NULL, NULL},
    {"ipsec static add fil webs any me", NULL, "object 'fil' can be several things",
     "one of: filter, filteraction, filterlist, policy, rule", NULL},
    {"ipsec static add filters webs any me", NULL, "unknown object 'filters'",
     "one of: filter, filteraction, filterlist, policy, rule", NULL},
    {"ipsec static add", NULL, "add of what",
     "one of: filter, filteraction, filterlist, policy, rule", NULL},
    {"ipsec static create filter", NULL, "unknown command 'create'", NULL, NULL},
    {"ipsec statics add filter", NULL, "unknown command 'statics'", "one of: dump, static, dynamic",
     NULL},
    {"firewall show state", NULL, "unknown context 'firewall'",
     "contexts: ipsec static, ipsec dynamic, interface tcp", NULL},
    {"int ip show addresses", NULL, "unknown context 'ip'",
     "contexts: ipsec static, ipsec dynamic, interface tcp", NULL},
    {"interface tcp set global rss=enabled", NULL, "unknown object 'global'", "one of: security",
     NULL},
    {"in t s security", NULL, "command 's' can be several things", NULL, NULL},
    {"int tcp set security enabled", NULL, "'enabled' is left over", "mpp=enabled|disabled|default",
     NULL},
    {"int tcp set security mpp=d", NULL, "mpp=d can be several things",
     "mpp=enabled|disabled|default", NULL},
    {"int tcp set security mpp=enabled profile=x", NULL, "profiles takes no 'x'",
     "profiles=enabled|disabled|default", NULL},
    {"add filter webs any me", NULL, "unknown context 'add'", NULL, NULL},
    /* --- tag=value in every spelling of the blanks --- */
    {WEBS "srcaddr=any dstaddr=me protocol=tcp dstport=80",
     "block in tcp from any to me port 80 mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr = any dstaddr = me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr =any dstaddr =me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr= any dstaddr= me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr= any dstaddr =me protocol = udp dstport=53 mirrored =n",
     "block in udp from any to me port 53", NULL, NULL, NULL},
    {"ipsec static add filter filterlist = webs any me", "block in from any to me mirrored", NULL,
     NULL, NULL},
    {WEBS "SRCADDR=ANY DstAddr=ME Protocol=Tcp DSTPORT=80",
     "block in tcp from any to me port 80 mirrored", NULL, NULL, NULL},
    {WEBS "srca=any dsta=me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srca = any dsta = me prot = tcp dstp = 25",
     "block in tcp from any to me port 25 mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me mirr=no", "block in from any to me", NULL, NULL, NULL},
    {WEBS "dstport=443 protocol=tcp dstaddr=me srcaddr=any",
     "block in tcp from any to me port 443 mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description=\"a b\"",
     "block in from any to me mirrored description \"a b\"", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description= \"a b\"",
     "block in from any to me mirrored description \"a b\"", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description = \"a b\"",
     "block in from any to me mirrored description \"a b\"", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description=a=b",
     "block in from any to me mirrored description \"a=b\"", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description= protocol=tcp",
     "block in tcp from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me protocol=tcp description=",
     "block in tcp from any to me mirrored", NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description=\"M\xc3\xbcller \xe6\x97\xa5\xe6\x9c\xac\"",
     "block in from any to me mirrored description \"M\xc3\xbcller \xe6\x97\xa5\xe6\x9c\xac\"",
     NULL, NULL, NULL},
    {WEBS "srcaddr=any dstaddr=me description=KeepCase",
     "block in from any to me mirrored description \"KeepCase\"", NULL, NULL, NULL},
    /* --- ambiguous prefixes: the first of the table --- */
    {WEBS "src=any dst=me", "block in from any to me mirrored", NULL, NULL,
     "read 'src=' as srcaddr="},
    {WEBS "s=any dstaddr=me", "block in from any to me mirrored", NULL, NULL,
     "read 's=' as srcaddr="},
    {"ipsec static add filter f=webs any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me d=text", NULL, "tag 'dstaddr' is given twice", "remove one of them", NULL},
    {"ipsec static add rule name=R policy=P filter=webs filteraction=\"block all\"",
     "!rule \"R\" attribute filterlist \"webs\"", NULL, NULL, "read 'filter=' as filterlist="},
    {"ipsec static add rule name=R policy=P filter=webs filter=\"block all\"", NULL,
     "tag 'filterlist' is given twice", "remove one of them", NULL},
    {"ipsec static add rule R P webs \"block all\" act=no", "!inactive rule \"R\"", NULL, NULL,
     NULL},
    {"ipsec static add rule R P webs \"block all\" a=no", "!inactive rule \"R\"", NULL, NULL, NULL},
    /* --- bare values fill the first tag not yet given --- */
    {"ipsec static add filter webs any me text tcp no",
     "block in tcp from any to me description \"text\"", NULL, NULL, NULL},
    {"ipsec static add filter webs any 10.0.0.0 text tcp no srcport=0 255.255.255.255 255.0.0.0",
     NULL, "'any' takes no mask", "leave it out", NULL},
    {"ipsec static add filter webs 10.1.0.0 10.2.0.0 text tcp no 255.255.0.0 255.255.0.0 1024 80",
     "block tcp from 10.1.0.0/16 port 1024 to 10.2.0.0/16 port 80 description \"text\"", NULL, NULL,
     NULL},
    {"ipsec static add filter webs 10.1.0.0 10.2.0.0 text tcp no 255.255.0.0 255.255.0.0 1024 80 90",
     NULL, "'90' is left over", "quote a value that has blanks", NULL},
    {WEBS "any me", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "dstaddr=me any", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "dstaddr=me any \"my text\" udp",
     "block in udp from any to me mirrored description \"my text\"", NULL, NULL, NULL},
    {"ipsec static add filter srcaddr=any webs me", "block in from any to me mirrored", NULL, NULL,
     NULL},
    {"ipsec static add filter srcaddr=any webs me filterlist=webs", NULL,
     "tag 'filterlist' is given twice", "remove one of them", NULL},
    {"ipsec static add filterlist a b c", NULL, "'c' is left over", "quote a value that has blanks",
     NULL},
    {"ipsec static delete all now", NULL, "'now' is left over", "delete all takes no values", NULL},
    {"ipsec static show store local", NULL, "'local' is left over", "show store takes no values",
     NULL},
    /* --- twice, unknown, missing --- */
    {WEBS "srcaddr=any srcaddr=me dstaddr=me", NULL, "tag 'srcaddr' is given twice",
     "remove one of them", NULL},
    {WEBS "srcaddr=any SRCA=me dstaddr=me", NULL, "tag 'srcaddr' is given twice", NULL, NULL},
    {WEBS "any me mirrored=yes mirrored=yes", NULL, "tag 'mirrored' is given twice", NULL, NULL},
    {WEBS "srcaddr=any destaddr=me", NULL, "unknown tag 'destaddr'", "did you mean dstaddr=", NULL},
    {WEBS "srcaddr=any destport=80", NULL, "unknown tag 'destport'", "did you mean dstport=", NULL},
    {WEBS "sourceaddr=any dstaddr=me", NULL, "unknown tag 'sourceaddr'",
     "did you mean srcaddr=", NULL},
    {WEBS "any me protokol=tcp", NULL, "unknown tag 'protokol'", "did you mean protocol=", NULL},
    {WEBS "any me miror=no", NULL, "unknown tag 'miror'", "did you mean mirrored=", NULL},
    {"ipsec static add rule R P webs \"block all\" conectype=lan", NULL, "unknown tag 'conectype'",
     "did you mean conntype=", NULL},
    {WEBS "any me wrong=1", NULL, "unknown tag 'wrong'", NULL, NULL},
    {WEBS "any me action=block", NULL, "unknown tag 'action'", NULL, NULL},
    {"ipsec static add filter", NULL, "add filter needs filterlist=", NULL, NULL},
    {WEBS "srcaddr=any", NULL, "add filter needs dstaddr=", NULL, NULL},
    {WEBS "dstaddr=me", NULL, "add filter needs srcaddr=", NULL, NULL},
    {"ipsec static add rule R P webs", NULL, "add rule needs filteraction=", NULL, NULL},
    {"ipsec static delete filterlist", NULL,
     "delete filterlist needs name=", "delete filterlist name=|all", NULL},
    {"ipsec static delete rule all", NULL,
     "delete rule needs policy=", "delete rule name=|id=|all policy=", NULL},
    {WEBS "=any dstaddr=me", NULL, "'=' without a tag before it", NULL, NULL},
    {WEBS "srcaddr=", NULL, "add filter needs dstaddr=", NULL, NULL},
    {WEBS "srcaddr= dstaddr=me", NULL, "'' is no address", NULL, NULL},
    /* --- yes and no --- */
    {WEBS "any me mirrored=yes", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me mirrored=y", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me mirrored=Y", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me mirrored=No", "block in from any to me", NULL, NULL, NULL},
    {WEBS "any me mirrored=n", "block in from any to me", NULL, NULL, NULL},
    {WEBS "any me mirrored=true", NULL, "mirrored takes no 'true'", "mirrored=yes|no", NULL},
    {WEBS "any me mirrored=ye", NULL, "mirrored takes no 'ye'", "mirrored=yes|no", NULL},
    {WEBS "any me mirrored=", NULL, "mirrored takes no ''", "mirrored=yes|no", NULL},
    /* --- addresses --- */
    {WEBS "192.0.2.7 me", "block in from 192.0.2.7 to me mirrored", NULL, NULL, NULL},
    {WEBS "2001:db8::7 me", "block in from 2001:db8::7 to me mirrored", NULL, NULL, NULL},
    {WEBS "192.0.2.1-192.0.2.9 me", "block in from 192.0.2.1-192.0.2.9 to me mirrored", NULL, NULL,
     NULL},
    {WEBS "2001:db8::1-2001:db8::9 me", "block in from 2001:db8::1-2001:db8::9 to me mirrored",
     NULL, NULL, NULL},
    {WEBS "192.0.2.9-192.0.2.1 me", NULL, "range '192.0.2.9-192.0.2.1' runs backwards",
     "the smaller address comes first", NULL},
    {WEBS "192.0.2.9-2001:db8::1 me", NULL, "range '192.0.2.9-2001:db8::1' has two families", NULL,
     NULL},
    {WEBS "192.0.2.1-192.0.2.9 me srcmask=24", NULL, "a range takes no mask", "leave srcmask out",
     NULL},
    {WEBS "web.example.test me", "block in from web.example.test to me mirrored", NULL, NULL, NULL},
    {WEBS "my-host me", "block in from my-host to me mirrored", NULL, NULL, NULL},
    {WEBS "DNS me", "block in from dns to me mirrored", NULL, NULL, NULL},
    {WEBS "wins me", "block in from wins to me mirrored", NULL, NULL, NULL},
    {WEBS "DHCP me", "block in from dhcp to me mirrored", NULL, NULL, NULL},
    {WEBS "me gateway", "block out from me to gateway mirrored", NULL, NULL, NULL},
    {WEBS "any any", "block from any to any mirrored", NULL, NULL, NULL},
    {WEBS "me me", NULL, "both sides are me", "dstaddr=any", NULL},
    {WEBS "10.1.2.3 me srcmask=255.255.255.0", "block in from 10.1.2.0/24 to me mirrored", NULL,
     NULL, "srcaddr=10.1.2.3 is read as 10.1.2.0/24"},
    {WEBS "10.1.2.0 me srcmask=24", "block in from 10.1.2.0/24 to me mirrored", NULL, NULL, NULL},
    {WEBS "10.1.2.0/24 me", "block in from 10.1.2.0/24 to me mirrored", NULL, NULL,
     "srcaddr=10.1.2.0/24: Windows may want the mask in srcmask"},
    {WEBS "10.1.2.0/255.255.255.0 me", "block in from 10.1.2.0/24 to me mirrored", NULL, NULL,
     "Windows may want"},
    {WEBS "10.1.2.0/24 me srcmask=24", NULL, "srcaddr has a mask already: '10.1.2.0/24'",
     "leave srcmask out", NULL},
    {WEBS "2001:db8::/32 me", "block in from 2001:db8::/32 to me mirrored", NULL, NULL,
     "Windows may want"},
    {WEBS "2001:db8:: me srcmask=32", "block in from 2001:db8::/32 to me mirrored", NULL, NULL,
     NULL},
    {WEBS "2001:db8:: me srcmask=255.255.0.0", NULL,
     "mask '255.255.0.0' does not fit an IPv6 address", "give a length: 1 to 128", NULL},
    {WEBS "10.1.2.0 me srcmask=255.0.255.0", NULL, "mask '255.0.255.0' has a hole", NULL, NULL},
    {WEBS "10.1.2.0 me srcmask=33", NULL, "mask '33' is out of range", "1 to 32", NULL},
    {WEBS "2001:db8:: me srcmask=129", NULL, "mask '129' is out of range", "1 to 128", NULL},
    {WEBS "10.1.2.0 me srcmask=0", NULL, "mask '0' makes any address of it",
     "write any for every address", NULL},
    {WEBS "10.1.2.0 me srcmask=x", NULL, "mask 'x' is no mask", NULL, NULL},
    {WEBS "any me srcmask=255.255.255.0", NULL, "'any' takes no mask", "leave it out", NULL},
    {WEBS "any me srcmask=0.0.0.0 dstmask=255.255.255.255", "block in from any to me mirrored",
     NULL, NULL, NULL},
    {WEBS "any me dstmask=24", NULL, "'me' takes no mask", NULL, NULL},
    {WEBS "0.0.0.0 me", NULL, "'0.0.0.0' could stand for me or for any",
     "srcaddr=any, or srcaddr=me", NULL},
    {WEBS "0.0.0.0 me srcmask=8", "block in from 0.0.0.0/8 to me mirrored", NULL, NULL, NULL},
    {WEBS ":: me srcmask=3", "block in from ::/3 to me mirrored", NULL, NULL, NULL},
    {WEBS ":: me", NULL, "'::' could stand for me or for any", NULL, NULL},
    {WEBS "0.0.0.0 me srcmask=0.0.0.0", "block in from 0.0.0.0/0 to me mirrored", NULL, NULL, NULL},
    {WEBS "any 0.0.0.0 dstmask=255.255.255.255", "block in from any to me mirrored", NULL, NULL,
     "read dstaddr=0.0.0.0 mask 255.255.255.255 as me"},
    {WEBS "any 0.0.0.0 dstmask=32", "block in from any to me mirrored", NULL, NULL, "as me"},
    {WEBS "1.2.3 me", NULL, "'1.2.3' is no address", NULL, NULL},
    {WEBS "1.2.3.256 me", NULL, "'1.2.3.256' is no address", NULL, NULL},
    {WEBS "a_b!c me", NULL, "'a_b!c' is no address", NULL, NULL},
    {WEBS "2001:db8::g me", NULL, "'2001:db8::g' is no address", NULL, NULL},
    {WEBS "10.0.0.1 2001:db8::1", NULL, "source is IPv4 and destination is IPv6", NULL, NULL},
    /* --- protocols and ports --- */
    {WEBS "any me protocol=ANY", "block in from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me protocol=icmp", "block in icmp from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me protocol=RAW", "block in 255 from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me protocol=47", "block in gre from any to me mirrored", NULL, NULL, NULL},
    {WEBS "any me protocol=0", "block in from any to me mirrored", NULL, NULL,
     "protocol=0 stands for any protocol"},
    {WEBS "any me protocol=256", NULL, "unknown protocol '256'",
     "protocol=ANY|ICMP|TCP|UDP|RAW|NUMBER", NULL},
    {WEBS "any me protocol=gre", NULL, "unknown protocol 'gre'", "protocol=47", NULL},
    {WEBS "any me protocol=6 dstport=25", "block in tcp from any to me port 25 mirrored", NULL,
     NULL, NULL},
    {WEBS "any me protocol=tcp dstport=0", "block in tcp from any to me mirrored", NULL, NULL,
     NULL},
    {WEBS "any me protocol=tcp srcport=88 dstport=65535",
     "block in tcp from any port 88 to me port 65535 mirrored", NULL, NULL, NULL},
    {WEBS "any me protocol=tcp dstport=65536", NULL, "port '65536' is out of range",
     "1 to 65535; 0 stands for any port", NULL},
    {WEBS "any me protocol=tcp dstport=99999999999999999999", NULL,
     "port '99999999999999999999' is out of range", NULL, NULL},
    {WEBS "any me protocol=tcp dstport=http", NULL, "port 'http' is no number",
     "1 to 65535; 0 stands for any port", NULL},
    {WEBS "any me protocol=tcp dstport=80-90", NULL, "port '80-90' is no number",
     "one port for each filter; 0 stands for any port", NULL},
    {WEBS "any me protocol=tcp dstport=-1", NULL, "port '-1' is no number", NULL, NULL},
    {WEBS "any me dstport=80", NULL, "a port needs TCP or UDP", "add protocol=TCP", NULL},
    {WEBS "any me protocol=icmp dstport=80", NULL, "a port needs TCP or UDP", NULL, NULL},
    /* --- names --- */
    {"ipsec static add filterlist \"Block Web\"", "!list Block Web", NULL, NULL, NULL},
    {"ipsec static add filterlist name=\"Block Web\" description=\"two words\"", "!list Block Web",
     NULL, NULL, NULL},
    {"ipsec static add filterlist name = \"Block Web\"", "!list Block Web", NULL, NULL, NULL},
    {"ipsec static add filterlist name=\xd0\xa1\xd0\xbf\xd0\xb8\xd1\x81\xd0\xbe\xd0\xba",
     "!list \xd0\xa1\xd0\xbf\xd0\xb8\xd1\x81\xd0\xbe\xd0\xba", NULL, NULL, NULL},
    {"ipsec static add filterlist name=WEBS", NULL, "filter list 'WEBS' exists already", NULL,
     NULL},
    {"ipsec static add filteraction Open action=permit", "!action Open", NULL, NULL, NULL},
    {"ipsec static add filteraction Open action=pass", NULL, "action takes no 'pass'",
     "action=permit|block|negotiate", NULL},
    {"ipsec static add filteraction Open qmsecmethods=\"ESP:3DES-SHA1\" action=negotiate", NULL,
     "'ESP:3DES-SHA1' is no security method", "write ESP[3DES,SHA1]:50000k/900s, with brackets",
     NULL},
    {"ipsec static add filteraction Open action=negotiate qmsecmethods=\"AH[SHA1]+ESP[DES,MD5]\"",
     NULL, "AH and ESP in one method cannot be negotiated here", NULL, NULL},
    {"ipsec static add filteraction Open action=negotiate qmsecmethods=\"AH[SHA1]:50000k/900s ESP[3DES,MD5]:50000k/900s\"",
     "!action Open", NULL, NULL, NULL},
    {"ipsec static add rule R P webs \"block all\" rootca=\"CN=A\" rootca=\"CN=B C\"",
     "!attribute auth \"cert:\\\"CN=A\\\" cert:\\\"CN=B C\\\"\"", NULL, NULL, NULL},
    {"ipsec static add rule R P webs \"block all\" rootca=\"CN=\\'A B\\'\"",
     "!attribute auth \"cert:\\\"CN=\\\\\\\"A B\\\\\\\"\\\"\"", NULL, NULL, NULL},
    {"ipsec static add rule R P webs \"block all\" rootca=\"CN=A\" kerberos=yes",
     "!attribute auth \"cert:\\\"CN=A\\\" kerberos\"", NULL, NULL, NULL},
    {"ipsec static add policy name=\"A=B\"", "!policy \"A=B\"", NULL, NULL, NULL},
    {"ipsec static add policy name=Q pollinginterval=0", NULL,
     "pollinginterval '0' is out of range", "1 to 5256000 minutes", NULL},
    {"ipsec static add policy name=Q polling=30", "!policy \"Q\" poll 30m", NULL, NULL, NULL},
    {"ipsec static add policy Q mmsec=\"3DES-SHA1-2 DES-MD5-1\"",
     "!attribute mm-methods \"3DES-SHA1-2 DES-MD5-1\"", NULL, NULL, NULL},
    {"ipsec static add policy Q mmsec=3DES-SHA2-2", NULL, "'3DES-SHA2-2' is no main mode method",
     NULL, NULL},
    {"ipsec dynamic set config ipsecexempt 3", "!filter.exempt=3", NULL, NULL, NULL},
    {"ipsec dyn set conf prop=ipsecexempt val=1", "!filter.exempt=1", NULL, NULL, NULL},
    {"ips d s c bootmode block", NULL, "command 's' can be several things", NULL, NULL},
    {"ips d set c bootmode BLOCK", "!boot.mode=block", NULL, NULL, NULL},
    {"ipsec dynamic set config boot block", NULL, "unknown property 'boot'", NULL, NULL},
};

static const struct filter_list *list_of(struct world *w, const char *name)
{
    struct filter_list *l;
    return catalog_list(&w->catalog, name, NULL, &l) == 0 ? l : NULL;
}

static void prepare(struct world *w)
{
    world_init(w);
    must(w, "ipsec static add filterlist webs");
    must(w, "ipsec static add filter webs 10.9.9.9 me protocol=tcp dstport=1 mirrored=no");
    must(w, "ipsec static add filter webs any 10.9.9.9");
    must(w, "ipsec static add filteraction \"block all\" action=block");
    must(w, "ipsec static add policy P");
}

static void check_object(struct world *w, const struct line *l, const char *want)
{
    struct filter_action *x;
    struct policy *p;
    if (strncmp(want, "list ", 5) == 0) {
        assert_non_null(list_of(w, want + 5));
        return;
    }
    if (strncmp(want, "action ", 7) == 0) {
        assert_int_equal(catalog_action(&w->catalog, want + 7, NULL, &x), 0);
        return;
    }
    if (strncmp(want, "no policy ", 10) == 0) {
        assert_int_equal(catalog_policy(&w->catalog, want + 10, NULL, &p), -ENOENT);
        return;
    }
    char *text = catalog_text(w);
    if (!strstr(text, want))
        fail_msg("%s: made\n%s", l->line, text);
    free(text);
}

static void check_filter(struct world *w, const struct line *l)
{
    const struct filter_list *webs = list_of(w, "webs");
    struct strbuf out = STRBUF_INIT(65536);
    if (!webs || webs->n_filters == 0) {
        fail_msg("%s: the list is gone", l->line);
        return;
    }
    assert_int_equal(text_print_filter(&webs->filters[webs->n_filters - 1], &out), 0);
    bool deleted = strstr(l->line, " del ") != NULL;
    const char *want = deleted ? "block in tcp from 10.9.9.9 to me port 1" : l->filter;
    if (strcmp(out.s, want) != 0)
        fail_msg("%s: made '%s'", l->line, out.s);
    assert_int_equal(webs->n_filters, deleted ? 1 : 3);
    strbuf_done(&out);
}

static void check_refusal(struct world *w, const struct line *l, int err, bool script)
{
    const char *message = w->diag.message;
    if (err >= 0)
        fail_msg("%s: was not refused", l->line);
    if (script && strncmp(message, "script:1: ", 10) == 0)
        message += 10;
    if (strcmp(message, l->error) != 0)
        fail_msg("%s: '%s'", l->line, message);
    if (l->hint && strcmp(w->diag.hint, l->hint) != 0)
        fail_msg("%s: hint '%s'", l->line, w->diag.hint);
    assert_int_equal(strncmp(w->run.out.s, "ERR ", 4), 0);
    if (w->diag.n_spans > 0) {
        assert_non_null(w->run.word);
        assert_true(w->diag.span[0].offset + w->diag.span[0].len <= strlen(w->run.word) + 1);
    }
}

static void run_table_line(const struct line *l, bool script)
{
    struct world w;
    prepare(&w);
    int err = script ? run_script(&w, l->line) : run_line(&w, l->line);
    if (l->error) {
        check_refusal(&w, l, err, script);
    } else {
        if (err < 0)
            fail_msg("%s: %s (%s)", l->line, w.diag.message, w.diag.hint);
        if (l->note && !has_remark(&w, l->note))
            fail_msg("%s: no note '%s'", l->line, l->note);
        if (!l->note && w.run.n_remarks > 0 && w.run.remarks[0].kind == NOTE_REPAIR)
            fail_msg("%s: repaired: %s", l->line, w.run.remarks[0].text);
        if (l->filter[0] == '!')
            check_object(&w, l, l->filter + 1);
        else
            check_filter(&w, l);
    }
    world_done(&w);
}

static void test_arguments(void **state)
{
    (void)state;
    assert_true(ARRAY_SIZE(lines) >= 120);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        run_table_line(&lines[i], /* script= */ false);
}

static void test_script(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        run_table_line(&lines[i], /* script= */ true);
}

/* What only a line of a file can have. */
static void test_quotes(void **state)
{
    struct world w;
    (void)state;
    prepare(&w);
    assert_int_equal(run_script(&w, "ipsec static add filterlist \"name=x\""), 0);
    assert_non_null(list_of(&w, "name=x"));
    assert_int_equal(
        run_script(&w, "ipsec static add filterlist name=\xe2\x80\x9ctwo words\xe2\x80\x9d"), 0);
    assert_non_null(list_of(&w, "two words"));
    assert_true(has_remark(&w, "read typographic quotes"));
    assert_true(run_script(&w, "ipsec static add filterlist a\x07") < 0);
    assert_string_equal(w.diag.message, "script:1: control character in the text");
    assert_true(run_line(&w, "ipsec static add filterlist a\x07") < 0);
    assert_string_equal(w.diag.message, "control character in the text, or no UTF-8");
    assert_true(run_script(&w, "ipsec static add filterlist \"no end") < 0);
    assert_string_equal(w.diag.message, "script:1: quote without end");
    assert_string_equal(w.run.word, "ipsec static add filterlist \"no end");
    assert_int_equal(w.diag.span[0].column, 29);
    assert_true(run_script(&w, "ipsec static add filterlist a\nipsec static add filter a bad! me") <
                0);
    assert_string_equal(w.diag.message, "script:2: 'bad!' is no address");
    assert_int_equal(w.diag.span[0].column, 27);
    assert_int_equal(w.diag.span[0].len, 4);
    world_done(&w);
}

static void test_misprints(void **state)
{
    struct world w;
    (void)state;
    prepare(&w);
    assert_int_equal(run_line(&w, "ipsec static add filterlist name=\xe2\x80\x9cone\xe2\x80\x9d"),
                     0);
    assert_non_null(list_of(&w, "one"));
    assert_int_equal(w.run.remarks[0].kind, NOTE_REPAIR);
    set_file(&w, "ipsec static add filterlist two\n");
    assert_int_equal(run_line(&w, "\xe2\x80\x93"
                                  "f script"),
                     0);
    assert_non_null(list_of(&w, "two"));
    assert_true(has_remark(&w, "as -f"));
    world_done(&w);
}

static void test_switches(void **state)
{
    static const struct {
        const char *line, *error;
        int exit;
    } bad[] = {
        {"", "no command given", 2},
        {"ipsec static", "no command given", 2},
        {"-x", "unknown switch '-x'", 2},
        {"-f", "a value is missing behind '-f'", 2},
        {"-f missing", "no file 'missing'", 1},
        {"-r web02 ipsec static delete all",
         "'web02' is another computer, and this one changes only itself", 1},
        {"-c firewall show", "unknown context 'firewall'", 2},
        {"-c ipsec -c ipsec", "given twice: '-c'", 2},
        {"-u admin", "unknown switch '-u'", 2},
    };
    struct world w;
    (void)state;
    prepare(&w);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_true(run_line(&w, bad[i].line) < 0);
        assert_string_equal(w.diag.message, bad[i].error);
        assert_int_equal(diag_exit_code(w.diag.code), bad[i].exit);
    }
    must(&w, "-c \"ipsec static\" add filterlist ctx");
    assert_non_null(list_of(&w, "ctx"));
    must(&w, "-r web01 ipsec static add filterlist local");
    must(&w, "-r \\\\localhost ipsec static add filterlist local2");
    world_done(&w);
}

/* A preshared key stands in no message and in no place shown. */
static void test_secret(void **state)
{
    static const char *const bad[] = {
        "ipsec static add rule R P webs \"block all\" psk=hushhush psk=hushhush",
        "ipsec static add rule R P webs \"block all\" psk=hushhush wrong=1",
        "ipsec static add rule R P webs \"block all\" wrong=1 psk=hushhush",
        "ipsec static add rule R P webs \"block all\" psk = hushhush conntype=x",
    };
    struct world w;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        for (int script = 0; script < 2; script++) {
            prepare(&w);
            assert_true((script ? run_script(&w, bad[i]) : run_line(&w, bad[i])) < 0);
            assert_null(strstr(w.diag.message, "hush"));
            assert_null(strstr(w.diag.hint, "hush"));
            assert_true(!w.run.word || !strstr(w.run.word, "hush"));
            world_done(&w);
        }
    prepare(&w);
    must(&w, "ipsec static add rule R P webs \"block all\" psk=hushhush kerberos=yes");
    assert_int_equal(w.catalog.n_secrets, 1);
    assert_string_equal(w.catalog.secrets[0].value, "hushhush");
    char *text = catalog_text(&w);
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "attribute auth \"psk:"));
    free(text);
    must(&w, "ipsec static show rule all P level=verbose");
    assert_null(strstr(w.run.out.s, "hush"));
    must(&w, "ipsec static dump");
    assert_null(strstr(w.run.out.s, "hush"));
    assert_true(w.run.partly);
    world_done(&w);
}

/* The table of commands serves parser and help: every command answers "?" with all its tags. */
static void test_help(void **state)
{
    static const char *const commands[] = {
        "ipsec static add filter",    "ipsec static set rule",     "ipsec static show rule",
        "ipsec dynamic add rule",     "ipsec static exportpolicy", "ipsec dynamic set config",
        "ipsec static delete filter",
    };
    struct world w;
    char line[128];
    (void)state;
    prepare(&w);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        (void)snprintf(line, sizeof(line), "%s ?", commands[i]);
        must(&w, line);
        assert_int_equal(strncmp(w.run.out.s, commands[i], strlen(commands[i])), 0);
    }
    must(&w, "ipsec static add filter /?");
    assert_non_null(strstr(w.run.out.s, "srcmask              MASK|LENGTH"));
    must(&w, "ipsec static ?");
    assert_non_null(strstr(w.run.out.s, "exportpolicy"));
    must(&w, "?");
    assert_non_null(strstr(w.run.out.s, "-f FILE"));
    must(&w, "ipsec static add ?");
    assert_null(strstr(w.run.out.s, "delete"));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_script),
        cmocka_unit_test(test_quotes),    cmocka_unit_test(test_misprints),
        cmocka_unit_test(test_switches),  cmocka_unit_test(test_secret),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
