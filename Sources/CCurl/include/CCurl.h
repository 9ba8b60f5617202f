/// libcurl, loaded at first use: one blocking request at a time and handle, and no more of it than that.
///
/// Loaded with dlopen, not linked, because the libraries that it brings along would add 5 ms to the 7 that every verb takes to
/// start, and few verbs speak to a server. C, because its options are set by a function of variable arguments, which Swift
/// cannot call.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A handle, which keeps its connection open from one request to the next. For one thread at a time.
typedef struct CurlHandle CurlHandle;

/// Loads the library once per process; safe from any thread. NULL when it is ready, otherwise what is wrong.
const char *_Nullable curlLoad(void);

/// A new handle, NULL without memory. Call after a successful load.
CurlHandle *_Nullable curlOpen(void);
void curlClose(CurlHandle *handle);

typedef struct CurlRequest {
  /// 0 for GET, 1 for POST.
  int isPost;
  const char *url;
  /// `Name: value` lines.
  const char *_Nullable const *_Nullable headers;
  size_t headerCount;
  const uint8_t *_Nullable body;
  size_t bodyCount;
  long connectMilliseconds;
  long totalMilliseconds;
  /// Whether proxies of the environment are passed by.
  int isDirect;
} CurlRequest;

/// Whoever takes the answer's bytes and may end the transfer.
typedef struct CurlListener {
  void *_Nullable context;
  /// False ends the transfer.
  int (*take)(void *_Nullable context, const uint8_t *bytes, size_t count);
  /// True ends the transfer; asked at least once a second.
  int (*stops)(void *_Nullable context);
} CurlListener;

/// How a request ended.
typedef enum CurlEnd {
  CurlAnswered,
  CurlNoConnection,
  CurlBroken,
  CurlTimeout,
  /// The listener ended it.
  CurlEnded,
  /// The server's certificate, or what it says for TLS, is not right.
  CurlUntrusted,
  CurlOther
} CurlEnd;

typedef struct CurlOutcome {
  CurlEnd end;
  long status;
  /// Whether the head of the answer came to its end.
  int isHeadWhole;
  /// Seconds that Retry-After asks for, 0 for none.
  long retryAfter;
  /// The library's own words for what went wrong.
  char message[256];
  /// Where a redirect leads, cut to what fits; empty for none.
  char location[256];
} CurlOutcome;

void curlPerform(CurlHandle *handle, const CurlRequest *request, const CurlListener *listener, CurlOutcome *outcome);

#pragma clang assume_nonnull end
