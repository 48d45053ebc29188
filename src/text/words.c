/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/words.c: the table of the language's words with the places each may stand in, and the
 * search for the nearest one. The table is the only list of words; its order decides between
 * equally near words and in lists. */
#include "words.h"

#include <string.h>
#include <threads.h>

#include "base/suggest.h"

enum {
    INDEX_SLOTS = 256,
    WORD_BYTES = 24, /* longer words are no typing error of ours (longest: 13) */
    TEXT_BYTES = 16,
};

static const struct {
    char text[TEXT_BYTES];
    enum word word;
    unsigned contexts;
} table[] = {
    {"policy", WORD_POLICY, CTX_FILE},
    {"rule", WORD_RULE, CTX_RULE},
    {"inactive", WORD_INACTIVE, CTX_RULE},
    {"block", WORD_BLOCK, CTX_ACTION},
    {"permit", WORD_PERMIT, CTX_ACTION},
    {"negotiate", WORD_NEGOTIATE, CTX_ACTION},
    {"drop", WORD_DROP, CTX_ACTION | CTX_SYNONYM},
    {"deny", WORD_DENY, CTX_ACTION | CTX_SYNONYM},
    {"pass", WORD_PASS, CTX_ACTION | CTX_SYNONYM},
    {"inpass", WORD_INPASS, CTX_INPASS},
    {"in", WORD_IN, CTX_DIR},
    {"out", WORD_OUT, CTX_DIR},
    {"tcp", WORD_NONE, CTX_PROTO},
    {"udp", WORD_NONE, CTX_PROTO},
    {"icmp", WORD_NONE, CTX_PROTO},
    {"icmpv6", WORD_NONE, CTX_PROTO},
    {"esp", WORD_ESP, CTX_METHOD},
    {"ah", WORD_AH, CTX_METHOD},
    {"esp", WORD_ESP, CTX_PROTO | CTX_SYNONYM},
    {"ah", WORD_AH, CTX_PROTO | CTX_SYNONYM},
    {"gre", WORD_NONE, CTX_PROTO | CTX_SYNONYM},
    {"sctp", WORD_NONE, CTX_PROTO | CTX_SYNONYM},
    {"udplite", WORD_NONE, CTX_PROTO | CTX_SYNONYM},
    {"dccp", WORD_NONE, CTX_PROTO | CTX_SYNONYM},
    {"type", WORD_TYPE, CTX_ICMP_TYPE},
    {"code", WORD_CODE, CTX_ICMP_CODE},
    {"port", WORD_PORT, CTX_PORT},
    {"from", WORD_FROM, CTX_FROM},
    {"to", WORD_TO, CTX_TO},
    {"any", WORD_ANY, CTX_ADDR | CTX_PROTO},
    {"me", WORD_ME, CTX_ADDR},
    {"dns", WORD_DNS, CTX_ADDR},
    {"wins", WORD_WINS, CTX_ADDR},
    {"dhcp", WORD_DHCP, CTX_ADDR},
    {"gateway", WORD_GATEWAY, CTX_ADDR},
    {"mirrored", WORD_MIRRORED, CTX_QUALIFIER},
    {"on", WORD_ON, CTX_QUALIFIER | CTX_ON},
    {"profile", WORD_PROFILE, CTX_QUALIFIER},
    {"keep", WORD_KEEP, CTX_QUALIFIER},
    {"state", WORD_STATE, CTX_STATE},
    {"override", WORD_OVERRIDE, CTX_QUALIFIER},
    {"log", WORD_LOG, CTX_QUALIFIER},
    {"description", WORD_DESCRIPTION, CTX_QUALIFIER | CTX_OPTION},
    {"for", WORD_FOR, CTX_FOR},
    {"reason", WORD_REASON, CTX_REASON},
    {"ack", WORD_ACK, CTX_ACK},
    {"poll", WORD_POLL, CTX_OPTION},
    {"local-permits", WORD_LOCAL_PERMITS, CTX_OPTION},
    {"weak", WORD_WEAK, CTX_OPTION},
    {"yes", WORD_YES, CTX_YES_NO},
    {"no", WORD_NO, CTX_YES_NO},
    {"allow", WORD_ALLOW, CTX_WEAK_VALUE | CTX_ACTION | CTX_SYNONYM},
    {"refuse", WORD_REFUSE, CTX_WEAK_VALUE},
    {"connection", WORD_CONNECTION, CTX_CONNECTION},
    {"all", WORD_ALL, CTX_CONNECTION_VALUE | CTX_PROTO},
    {"lan", WORD_LAN, CTX_CONNECTION_VALUE},
    {"dialup", WORD_DIALUP, CTX_CONNECTION_VALUE},
    {"attribute", WORD_NONE, CTX_OPTION | CTX_ATTRIBUTE}, /* see parse_attribute.c */
    {"domain", WORD_DOMAIN, CTX_PROFILE_VALUE},
    {"private", WORD_PRIVATE, CTX_PROFILE_VALUE},
    {"public", WORD_PUBLIC, CTX_PROFILE_VALUE},
    {"rekey", WORD_REKEY, CTX_METHOD},
    {"pfs", WORD_PFS, CTX_METHOD},
    {"ike", WORD_IKE, CTX_METHOD},
    {"ike-life", WORD_IKE_LIFE, CTX_METHOD},
    {"ike-pfs", WORD_IKE_PFS, CTX_METHOD},
    {"auth", WORD_AUTH, CTX_METHOD},
    {"psk", WORD_PSK, CTX_AUTH_VALUE},
    {"cert", WORD_CERT, CTX_AUTH_VALUE},
    {"file", WORD_FILE, CTX_AUTH_FILE},
    {"ca", WORD_CA, CTX_AUTH_CA},
    {"tunnel", WORD_TUNNEL, CTX_METHOD},
    {"soft", WORD_SOFT, CTX_METHOD},
    {"eager", WORD_EAGER, CTX_METHOD},
};

/* Where the table has a word: a policy of 100,000 filters asks 700,000 times. Made once, from the
 * table, and never changed. */
static struct {
    uint8_t slot[INDEX_SLOTS]; /* number in the table + 1, 0 = none */
    uint8_t len[ARRAY_SIZE(table)];
    unsigned contexts[_WORD_MAX];
} words;
static once_flag words_once = ONCE_FLAG_INIT;
_Static_assert(ARRAY_SIZE(table) < INDEX_SLOTS / 2, "slots are numbers of the table, half empty");

static unsigned home_of(const char *s, size_t n)
{
    unsigned first = (unsigned char)s[0], last = (unsigned char)s[n - 1];
    unsigned middle = (unsigned char)s[n / 2];
    return (first * 7 + middle * 31 + last * 3 + (unsigned)n * 17) % INDEX_SLOTS;
}

/* Of words that stand in the table twice the first one counts. */
static void words_index(void)
{
    for (size_t i = ARRAY_SIZE(table); i-- > 0;)
        words.contexts[table[i].word] = table[i].contexts;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        words.len[i] = (uint8_t)strlen(table[i].text);
        unsigned at = home_of(table[i].text, words.len[i]);
        while (words.slot[at])
            at = (at + 1) % INDEX_SLOTS;
        words.slot[at] = (uint8_t)(i + 1);
    }
}

enum word word_find(const char *s, size_t n)
{
    if (n == 0 || n >= TEXT_BYTES || s[0] < 'a' || s[0] > 'z')
        return WORD_NONE;
    call_once(&words_once, words_index);
    for (unsigned at = home_of(s, n); words.slot[at]; at = (at + 1) % INDEX_SLOTS) {
        unsigned i = words.slot[at] - 1u;
        if (words.len[i] == n && memcmp(table[i].text, s, n) == 0)
            return table[i].word;
    }
    return WORD_NONE;
}

bool word_fits(enum word w, unsigned contexts)
{
    call_once(&words_once, words_index);
    return w != WORD_NONE && words.contexts[w] & contexts;
}

const char *word_suggest(const char *s, size_t n, unsigned contexts)
{
    char word[WORD_BYTES];
    if (n == 0 || n >= sizeof(word))
        return NULL;
    memcpy(word, s, n);
    word[n] = '\0';
    const char *best = NULL;
    unsigned best_distance = suggest_limit(word) + 1;
    for (size_t i = 0; i < ARRAY_SIZE(table) && best_distance > 0; i++) {
        if (!(table[i].contexts & contexts & ~(unsigned)CTX_SYNONYM))
            continue;
        unsigned distance = suggest_distance(word, table[i].text, best_distance - 1);
        if (distance < best_distance) {
            best = table[i].text;
            best_distance = distance;
        }
    }
    return best;
}

void word_list(unsigned contexts, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (!(table[i].contexts & contexts) ||
            (table[i].contexts & CTX_SYNONYM && !(contexts & CTX_WEAK_VALUE)))
            continue; /* "allow" is a synonym as an action, the word itself as an option */
        size_t len = strlen(table[i].text);
        if (used + len + 3 > size)
            return;
        if (used > 0) {
            memcpy(out + used, ", ", 2);
            used += 2;
        }
        memcpy(out + used, table[i].text, len + 1);
        used += len;
    }
}
