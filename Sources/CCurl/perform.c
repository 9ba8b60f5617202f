#define _GNU_SOURCE
#include "CCurl.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CurlHandle { CURL *easy; };

// What of the library is used.
static CURLcode (*globalInit)(long);
static CURL *(*easyInit)(void);
static void (*easyCleanup)(CURL *);
static void (*easyReset)(CURL *);
static CURLcode (*easySetopt)(CURL *, CURLoption, ...);
static CURLcode (*easyPerform)(CURL *);
static CURLcode (*easyGetinfo)(CURL *, CURLINFO, ...);
static const char *(*easyStrerror)(CURLcode);
static struct curl_slist *(*slistAppend)(struct curl_slist *, const char *);
static void (*slistFreeAll)(struct curl_slist *);

static char failure[512];

static void load(void) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(failure, sizeof failure, "cannot load libcurl: %s", dlerror());
    return;
  }
  struct { const char *name; void *to; } symbols[] = {
    {"curl_global_init", &globalInit}, {"curl_easy_init", &easyInit}, {"curl_easy_cleanup", &easyCleanup},
    {"curl_easy_reset", &easyReset}, {"curl_easy_setopt", &easySetopt}, {"curl_easy_perform", &easyPerform},
    {"curl_easy_getinfo", &easyGetinfo}, {"curl_easy_strerror", &easyStrerror}, {"curl_slist_append", &slistAppend},
    {"curl_slist_free_all", &slistFreeAll},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) {
      snprintf(failure, sizeof failure, "libcurl.so.4 has no %s", symbols[i].name);
      return;
    }
    memcpy(symbols[i].to, &symbol, sizeof symbol);
  }
  CURLcode code = globalInit(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) snprintf(failure, sizeof failure, "cannot start libcurl: %s", easyStrerror(code));
}

const char *curlLoad(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return failure[0] ? failure : NULL;
}

CurlHandle *curlOpen(void) {
  CurlHandle *handle = malloc(sizeof *handle);
  if (!handle) return NULL;
  handle->easy = easyInit();
  if (!handle->easy) {
    free(handle);
    return NULL;
  }
  // Without this the library would have the process ignore SIGPIPE while it closes a handle that was never used, and two
  // threads that close at once may leave it ignored, in the programs started later too.
  easySetopt(handle->easy, CURLOPT_NOSIGNAL, 1L);
  return handle;
}

void curlClose(CurlHandle *handle) {
  easyCleanup(handle->easy);
  free(handle);
}

static size_t take(char *bytes, size_t size, size_t count, void *context) {
  const CurlListener *listener = context;
  return listener->take(listener->context, (const uint8_t *)bytes, size * count) ? size * count : 0;
}

static int progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  (void)a, (void)b, (void)c, (void)d;
  const CurlListener *listener = context;
  return listener->stops(listener->context);
}

static size_t header(char *bytes, size_t size, size_t count, void *context) {
  CurlOutcome *outcome = context;
  const char name[] = "location:";
  size_t length = size * count;
  // An empty line ends the head.
  if (length > 0 && (bytes[0] == '\r' || bytes[0] == '\n')) outcome->isHeadWhole = 1;
  if (length > sizeof name && !strncasecmp(bytes, name, sizeof name - 1)) {
    const char *value = bytes + sizeof name - 1;
    while (value < bytes + length && *value == ' ') value++;
    size_t most = bytes + length - value;
    while (most > 0 && (value[most - 1] == '\r' || value[most - 1] == '\n')) most--;
    if (most >= sizeof outcome->location) most = sizeof outcome->location - 1;
    memcpy(outcome->location, value, most);
    outcome->location[most] = 0;
  }
  return length;
}

static CurlEnd end(CURLcode code) {
  switch (code) {
  case CURLE_OK: return CurlAnswered;
  case CURLE_COULDNT_RESOLVE_PROXY: case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_CONNECT: return CurlNoConnection;
  case CURLE_OPERATION_TIMEDOUT: return CurlTimeout;
  case CURLE_ABORTED_BY_CALLBACK: case CURLE_WRITE_ERROR: return CurlEnded;
  case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_ISSUER_ERROR: case CURLE_SSL_CONNECT_ERROR: return CurlUntrusted;
  case CURLE_PARTIAL_FILE: case CURLE_GOT_NOTHING: case CURLE_SEND_ERROR: case CURLE_RECV_ERROR: case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM: case CURLE_WEIRD_SERVER_REPLY: case CURLE_BAD_CONTENT_ENCODING: return CurlBroken;
  default: return CurlOther;
  }
}

void curlPerform(CurlHandle *handle, const CurlRequest *request, const CurlListener *listener, CurlOutcome *outcome) {
  CURL *easy = handle->easy;
  memset(outcome, 0, sizeof *outcome);
  char message[CURL_ERROR_SIZE] = "";
  struct curl_slist *headers = NULL;
  for (size_t i = 0; i < request->headerCount; i++) {
    struct curl_slist *longer = slistAppend(headers, request->headers[i]);
    if (!longer) {
      slistFreeAll(headers);
      outcome->end = CurlOther;
      snprintf(outcome->message, sizeof outcome->message, "out of memory");
      return;
    }
    headers = longer;
  }
  // The connections stay.
  easyReset(easy);
  easySetopt(easy, CURLOPT_URL, request->url);
  easySetopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  easySetopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  easySetopt(easy, CURLOPT_NOSIGNAL, 1L);
  easySetopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  easySetopt(easy, CURLOPT_TCP_NODELAY, 1L);
  easySetopt(easy, CURLOPT_BUFFERSIZE, 512L * 1024);
  easySetopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
  easySetopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connectMilliseconds);
  easySetopt(easy, CURLOPT_TIMEOUT_MS, request->totalMilliseconds);
  easySetopt(easy, CURLOPT_ERRORBUFFER, message);
  easySetopt(easy, CURLOPT_HTTPHEADER, headers);
  easySetopt(easy, CURLOPT_WRITEFUNCTION, take);
  easySetopt(easy, CURLOPT_WRITEDATA, (void *)listener);
  easySetopt(easy, CURLOPT_HEADERFUNCTION, header);
  easySetopt(easy, CURLOPT_HEADERDATA, outcome);
  easySetopt(easy, CURLOPT_NOPROGRESS, 0L);
  easySetopt(easy, CURLOPT_XFERINFOFUNCTION, progress);
  easySetopt(easy, CURLOPT_XFERINFODATA, (void *)listener);
  if (request->isDirect) easySetopt(easy, CURLOPT_PROXY, "");
  if (request->isPost) {
    easySetopt(easy, CURLOPT_POST, 1L);
    easySetopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->bodyCount);
    easySetopt(easy, CURLOPT_POSTFIELDS, request->body ? (const void *)request->body : "");
  }
  CURLcode code = easyPerform(easy);
  outcome->end = end(code);
  // A connection that ends within the head is an empty answer to the library.
  if (code == CURLE_OK && !outcome->isHeadWhole) {
    outcome->end = CurlBroken;
    snprintf(outcome->message, sizeof outcome->message, "it ended within the head of the answer");
  }
  if (code != CURLE_OK)
    snprintf(outcome->message, sizeof outcome->message, "%s", message[0] ? message : easyStrerror(code));
  easyGetinfo(easy, CURLINFO_RESPONSE_CODE, &outcome->status);
  curl_off_t wait = 0;
  easyGetinfo(easy, CURLINFO_RETRY_AFTER, &wait);
  outcome->retryAfter = wait > 0 && wait < 1000000 ? (long)wait : 0;
  // What they point to ends with this call.
  easySetopt(easy, CURLOPT_ERRORBUFFER, NULL);
  easySetopt(easy, CURLOPT_HTTPHEADER, NULL);
  slistFreeAll(headers);
}
