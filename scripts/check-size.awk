# Measures files and functions, for `scripts/check-size`: no file of more than `fileLimit` lines, unless its first line
# says that it is a table ("// Table: ..."), and no function of more than `functionLimit`, from its keyword to what ends
# its body. A function in a function counts for itself and for the outer one; a property counts by its accessors where
# it has them. Strings and comments are skipped. Prints each offender as file:line: what; exit 1 where there is one.
#
# Swift and C go by braces, Python by indentation, shell and awk by the line that begins and the one that ends a
# function. Braces that do not pair off in a file are an offender too: its functions could not be measured.

FNR == 1 { beginFile() }
{ lastLine = FNR }
language == "brace" { readBraces($0) }
language == "python" { readPython($0) }
language == "shell" { readShell($0) }
END {
  endFile()
  if (!offenders) print "check-size: " files " files of at most " fileLimit " lines, " functions " functions of at most " functionLimit
  exit offenders > 0
}

function beginFile() {
  if (files++) endFile()
  file = FILENAME
  isTable = /^\/\/ Table: /
  isC = file ~ /\.(c|h|cpp)$/
  if (isC || file ~ /\.swift$/) language = "brace"
  else if (file ~ /\.py$/ || /^#!.*python/) language = "python"
  else language = "shell"
  # What the text at hand lies in, innermost last: code, string or comment.
  depth = 1
  state[1] = "code"
  parens = braces = open = inMacro = 0
  candidate = header = heredoc = quote = ""
}

function endFile() {
  if (language == "python") endBlocks(0, lastCode)
  if (language == "brace" && braces) offend(file, 1, "its braces do not pair off")
  if (lastLine > fileLimit && !isTable) offend(file, 1, lastLine " lines, more than " fileLimit ": divide it")
}

function offend(place, line, what) {
  print place ":" line ": " what
  offenders++
}

function measured(name, first, last) {
  functions++
  if (last - first + 1 > functionLimit)
    offend(file, first, name " has " last - first + 1 " lines, more than " functionLimit ": divide it")
}

# The place of the first match of `pattern` in `text`, beyond its end where there is none.
function find(text, pattern) { return match(text, pattern) ? RSTART : length(text) + 1 }

function repeated(text, count,   result) {
  while (count-- > 0) result = result text
  return result
}

# --- Swift and C

function readBraces(line,   at, token) {
  if (isC && state[depth] == "code" && (inMacro || line ~ /^[ \t]*#/)) return readMacro(line)
  while (line != "") {
    if (state[depth] == "comment") line = readComment(line)
    else if (state[depth] == "string") line = readString(line)
    else {
      at = find(line, "#*\"|//|/[*]|'|[{}();]")
      token = substr(line, at, RLENGTH < 0 ? 0 : RLENGTH)
      readWords(substr(line, 1, at - 1))
      line = readToken(token, substr(line, at + length(token)))
    }
  }
  # A string of one line ends there, whatever follows; and so does what may be a computed property.
  while (state[depth] == "string" && !isLong[depth]) depth--
  if (candidate == "property" && parens == candidateParens) candidate = ""
  if (state[depth] == "code") header = header " "
}

# A macro counts as a function; what braces it has need not pair off.
function readMacro(line) {
  if (!inMacro) macroLine = FNR
  inMacro = line ~ /\\$/
  if (!inMacro && macroLine < FNR) measured("a macro", macroLine, FNR)
}

function readComment(line,   at) {
  at = find(line, isC ? "[*]/" : "[*]/|/[*]")
  if (substr(line, at, 2) == "*/") depth--
  else if (at <= length(line)) state[++depth] = "comment"
  return substr(line, at + 2)
}

function readString(line,   at, hashes, rest) {
  hashes = repeated("#", hashCount[depth])
  at = find(line, "[\"\\\\]")
  rest = substr(line, at + 1)
  if (substr(line, at, 1) == "\\") {
    if (index(rest, hashes "(") == 1 && !isC) {
      state[++depth] = "code"
      interpolation[depth] = parens++
      return substr(rest, length(hashes) + 2)
    }
    return hashes == "" ? substr(rest, 2) : rest
  }
  if (!isLong[depth]) hashes = "\"" hashes
  else hashes = "\"\"\"" hashes
  if (index("\"" rest, hashes) == 1 && at <= length(line)) {
    depth--
    return substr("\"" rest, length(hashes) + 1)
  }
  return rest
}

function beginString(token, rest) {
  state[++depth] = "string"
  hashCount[depth] = length(token) - 1
  isLong[depth] = !isC && index(rest, "\"\"") == 1
  return isLong[depth] ? substr(rest, 3) : rest
}

# Keywords that begin a function, in code between two tokens.
function readWords(text,   word) {
  if (header ~ /^[ \t]*$/) headerLine = FNR
  header = header text
  if (isC) {
    if (header ~ /^[ \t]*(public|private|protected):[ \t]*$/) header = ""
    return
  }
  if (match(text, /(^|[ \t])(func|init|deinit|subscript|get|set|willSet|didSet|_read|_modify|unsafeAddress|var)([ \t?!<]|$)/)) {
    word = substr(text, RSTART, RLENGTH)
    gsub(/[ \t?!<]/, "", word)
    # An accessor's word begins its line or its braces, and what was declared before it is over.
    if (word == "var") candidate = "property"
    else if (word ~ /^(func|init|deinit|subscript)$/) candidate = "func"
    else if (header ~ /^[ \t]*((mutating|nonmutating|borrowing|consuming|unsafe)[ \t]+)*[a-zA-Z_]+[ \t]*$/) candidate = "accessor"
    else return
    candidateLine = FNR
    candidateParens = parens
    candidateName = substr(text, RSTART)
    sub(/^[ \t]*((func|var)[ \t]+)?/, "", candidateName)
    sub(/[ \t:={<].*$/, "", candidateName)
  }
  if (candidate == "property" && parens == candidateParens && index(text, "=")) candidate = ""
}

# A token of code; returns what is left of the line.
function readToken(token, rest) {
  if (token ~ /"$/) return beginString(token, rest)
  if (token == "//") return ""
  if (token == "/*") state[++depth] = "comment"
  else if (token == "'") return isC ? afterCharacter(rest) : rest
  else if (token == "{") openBrace()
  else if (token == "}") closeBrace()
  else if (token == "(") parens++
  else if (token == ")") {
    parens--
    if (depth > 1 && parens == interpolation[depth]) depth--
  }
  if (token ~ /[();]/) header = token == ";" && parens == 0 ? "" : header token
  return rest
}

# What follows a character such as 'a', '\n' or '{'.
function afterCharacter(rest) { return substr(rest, match(rest, /^(\\.[^']*|.)'/) ? RLENGTH + 1 : 1) }

function openBrace() {
  braces++
  opened[braces] = ""
  if (isC ? beginsFunction() : candidate != "" && parens == candidateParens) {
    opened[braces] = isC ? "func" : candidate
    openedName[braces] = isC ? functionName() : candidateName
    openedLine[braces] = isC ? headerLine : candidateLine
    hasAccessors[braces] = 0
    if (!isC && candidate == "accessor") hasAccessors[braces - 1] = 1
  }
  forget()
}

function closeBrace() {
  if (opened[braces] != "" && !hasAccessors[braces]) measured(openedName[braces], openedLine[braces], FNR)
  if (braces == 0) offend(file, FNR, "a brace closes nothing")
  else braces--
  forget()
}

# A brace ends what may become a function, unless it is one of a closure among its parameters.
function forget() {
  if (parens <= candidateParens) candidate = ""
  header = ""
}

# Whether the brace after what stands in `header` opens the body of a function of C or C++.
function beginsFunction(   outer) {
  for (outer = 1; outer < braces; outer++) if (opened[outer] != "") return 0
  return header ~ /\)[ \t]*((const|noexcept|override)[ \t]*)*$/ && header !~ /=[ \t]*(\([^()]*\))?[ \t]*$/
}

function functionName(   text) {
  text = header
  gsub(/__attribute__[ \t]*\(\([^)]*(\([^)]*\))?[^)]*\)\)/, "", text)
  if (!match(text, /[A-Za-z_~][A-Za-z_0-9:]*(\([A-Za-z_0-9]*\))?[ \t]*\(/)) return "a function"
  return substr(text, RSTART, RLENGTH - 1)
}

# --- Python

# A function is over where a line of code stands at its margin or left of it.
function readPython(line,   margin, isInside) {
  isInside = parens > 0 || quote != ""
  if (!isInside && line ~ /^[ \t]*(#|$)/) return
  margin = find(line, "[^ \t]") - 1
  if (!isInside) {
    endBlocks(margin, lastCode)
    if (match(line, /^[ \t]*(async )?def [A-Za-z_0-9]+/)) begin(substr(line, margin + 1, RLENGTH), margin)
  }
  if (line ~ /[^ \t]/) lastCode = FNR
  skipPython(line)
}

function begin(name, margin) {
  sub(/^(async )?(def|function) /, "", name)
  sub(/[ (].*/, "", name)
  openedName[++open] = name
  openedLine[open] = FNR
  openedMargin[open] = margin
}

function endBlocks(margin, last) {
  for (; open && openedMargin[open] >= margin; open--) measured(openedName[open], openedLine[open], last)
}

# Follows strings and parentheses to the end of a line.
function skipPython(line,   at, token) {
  while (line != "") {
    if (quote != "") {
      at = find(line, "\\\\|" quote)
      token = substr(line, at, 1)
      line = substr(line, at + (token == "\\" ? 2 : length(quote)))
      if (token != "" && token != "\\") quote = ""
    } else {
      at = find(line, "\"\"\"|'''|[\"'#()]|[][{}]")
      token = substr(line, at, RLENGTH < 0 ? 0 : RLENGTH)
      line = substr(line, at + length(token))
      if (token == "#") line = ""
      else if (token ~ /^[[({]$/) parens++
      else if (token ~ /^[])}]$/) parens--
      else quote = token
    }
  }
  if (length(quote) == 1) quote = ""
}

# --- Shell and awk

# A function begins with `name() {` or `function name(...) {` and ends with a brace at the same margin.
function readShell(line,   margin) {
  if (heredoc != "") {
    if (line ~ "^\t*" heredoc "$") heredoc = ""
    return
  }
  margin = find(line, "[^ \t]") - 1
  if (match(line, /^[ \t]*(function [A-Za-z_0-9]+\([^)]*\)|[A-Za-z_0-9-]+ *\(\)) *\{/)) {
    begin(substr(line, margin + 1, RLENGTH), margin)
    if (line ~ /\}[ \t]*$/) endBlocks(margin, FNR)
  } else if (open && margin == openedMargin[open] && substr(line, margin + 1, 1) == "}") {
    endBlocks(margin, FNR)
  }
  if (match(line, /<<-?['"]?[A-Za-z_]+['"]?/) && line !~ /<<</) {
    heredoc = substr(line, RSTART, RLENGTH)
    gsub(/[<'"-]/, "", heredoc)
  }
}
