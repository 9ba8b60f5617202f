import Files
import Foundation
import TestSupport
import Testing

/// The whole program with its streams, signals, paths and outputs as a shell may arrange them.
@Suite("Streams and paths", .timeLimit(.minutes(5))) struct StandardStreamTests {
  /// Runs a line of shell, in which `$D` is the program, and gives back its exit status and what it printed.
  @discardableResult
  private static func shell(
    _ line: String, in world: ArtefactWorld, expecting status: Int32 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", line]
    process.currentDirectoryURL = URL(fileURLWithPath: world.folder)
    var environment = ProcessInfo.processInfo.environment
    environment["D"] = DecantProcess.executable.path
    environment["GENERATE"] =
      "\(DecantProcess.executable.path) generate --model \(world.student) --data \(world.validation) --max-new-tokens 8"
    process.environment = environment
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == status, "\(line) said: \(said)", sourceLocation: sourceLocation)
    return said
  }

  /// Sends a signal to a generation that waits for rows from a pipe nobody writes into, and gives back its end.
  private static func generateWaiting(_ signal: (Process) -> Void) throws -> DecantProcess.Result {
    let world = try ArtefactWorld()
    let pipe = world.file("pipe")
    _ = unsafe mkfifo(pipe, 0o600)
    let writer = unsafe open(pipe, O_RDWR)
    defer { close(writer) }
    let job = try DecantProcess(world.generate(data: pipe), in: world.folder)
    while try job.process.isRunning && !job.errorsSoFar().contains("engine:") { Thread.sleep(forTimeInterval: 0.002) }
    signal(job.process)
    return try job.wait()
  }

  @Test("closed streams put nothing into an output, a run or a cache, and work that is done is done") func closed()
    throws
  {
    let world = try ArtefactWorld()
    let answers = try File.read(world.answers), cache = try world.contents()
    for (number, closed) in ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "0<&-"].enumerated() {
      try Self.shell("$GENERATE --output o\(number) \(closed)", in: world)
      #expect(try File.read(world.file("o\(number)")) == answers, "\(closed)")
    }
    _ = try world.write(world.configuration(), to: "closed.yaml")
    for closed in ["1>&- 2>&-", "0<&- 1>&- 2>&-"] {
      try Self.shell("rm -rf closed && $D train --config closed.yaml --output closed \(closed)", in: world)
      for name in ["metrics.jsonl", "checkpoints/last/model.safetensors"] {
        #expect(try File.read(world.file("closed/\(name)")) == File.read("\(world.run)/\(name)"), "\(closed): \(name)")
      }
    }
    #expect(try world.contents() == cache)
    // Results that are only printed are lost, which is told.
    #expect(try Self.shell("$D cache info cache >&-", in: world, expecting: 1).contains("standard output is closed"))
  }

  @Test("a reader of the log that goes ends no work; one of the results ends it as Unix tools do") func readers() throws
  {
    let world = try ArtefactWorld()
    // A pipe whose reader has gone before anything is written.
    let broken = "mkfifo p; exec 3<>p 4>p 3<&-; "
    try Self.shell(broken + "$GENERATE --output o 2>&4 >/dev/null", in: world)
    #expect(try File.read(world.file("o")) == File.read(world.answers))
    let line = "rm p; \(broken) $D cache export cache >&4 2>errors; echo $?; cat errors"
    let ended = try Self.shell(line, in: world)
    #expect(ended == "141\n", "\(ended)")
    let ignored = try Self.shell("trap '' PIPE; \(line)", in: world)
    #expect(ignored.hasPrefix("1\n") && ignored.contains("nobody reads them any more"), "\(ignored)")
    #expect(try Self.shell("$D --version >/dev/full", in: world, expecting: 1).contains("No space left"))
  }

  @Test("pipes, devices and links as outputs and inputs are used or refused, and never replaced") func kinds() throws {
    let world = try ArtefactWorld()
    let answers = try File.read(world.answers)
    try Self.shell("mkfifo f; cat f >got & $GENERATE --output f >/dev/null 2>&1 && wait", in: world)
    #expect(try File.read(world.file("got")) == answers)
    try Self.shell("$GENERATE --output /dev/stdout 2>/dev/null >redirected", in: world)
    #expect(try File.read(world.file("redirected")) == answers)
    try Self.shell("mkdir later; ln -s later/o link; $GENERATE --output link >/dev/null; test -L link", in: world)
    #expect(try File.read(world.file("later/o")) == answers)
    try Self.shell("$D cache export cache --output f 2>/dev/null & cat f >exported; wait; test -p f", in: world)
    #expect(
      try String(decoding: File.read(world.file("exported")), as: UTF8.self)
        == Self.shell("$D cache export cache", in: world))
    #expect(try Self.shell("$GENERATE --output later", in: world, expecting: 2).contains("is a folder"))
    // As input: the shell's <(...) is read, a pipe that nobody writes to is refused and not waited for.
    let substituted = "$D evaluate --model \(world.student) --json --data"
    #expect(
      try Self.shell("\(substituted) <(cat \(world.validation)) 2>/dev/null", in: world)
        == Self.shell("\(substituted) \(world.validation) 2>/dev/null", in: world))
    for words in ["$GENERATE --output o --data", "$D run", "$D train --output o --config"] {
      let line = words.replacing("--data \(world.validation)", with: "") + " f"
      let said = try Self.shell(
        line.replacing("$GENERATE", with: "$D generate --model \(world.student)"), in: world, expecting: 2)
      #expect(said.contains("nobody writes to this pipe"), "\(said)")
    }
  }

  @Test("a path that is not UTF-8 is refused; control characters are shown, not obeyed") func oddWords() throws {
    let world = try ArtefactWorld()
    let said = try Self.shell("$GENERATE --output $'lat\\xe9.jsonl'; s=$?; ls -b >&2; exit $s", in: world, expecting: 2)
    #expect(said.contains("'lat\\xe9.jsonl' is not valid UTF-8") && !said.contains("lat\\357"), "\(said)")
    let red = try Self.shell("$D cache info $'\\e[31mred\\x7f\\u009b'", in: world, expecting: 2)
    #expect(red.contains("\\u{1b}[31mred\\u{7f}\\u{9b}") && !red.contains("\u{1B}"), "\(red)")
  }

  @Test("locks are no links, and one process writes an output") func locks() throws {
    let world = try ArtefactWorld()
    _ = try world.write("precious", to: "precious")
    _ = try world.write(world.configuration(), to: "locked.yaml")
    for line in [
      "rm cache/writer.lock; ln -s ../precious cache/writer.lock; $D cache repair cache",
      "mkdir locked; ln -s ../precious locked/lock; $D train --config locked.yaml --output locked",
      "rm locked/lock; ln -s ../precious locked/metrics.jsonl; $D train --config locked.yaml --output locked",
    ] {
      #expect(try Self.shell(line, in: world, expecting: 2).contains("is a symbolic link"))
      #expect(try File.read(world.file("precious")) == Array("precious".utf8), "\(line)")
    }
    do {
      let first = try AppendingFile(to: Destination(world.file("o")), owner: "the output o")
      let second = try Self.shell("$GENERATE --output o", in: world, expecting: 2)
      #expect(second.contains("is in use by process \(getpid())"), "\(second)")
      withExtendedLifetime(first) {}
    }
    try Self.shell("$GENERATE --output o", in: world)
    #expect(try File.read(world.file("o")) == File.read(world.answers))
  }

  @Test("a crash says who died and where to turn") func crashes() throws {
    let said = try Self.generateWaiting { kill($0.processIdentifier, SIGILL) }
    #expect(said.status == SIGILL && said.errors.contains("decant 0.1.0 generate: died of a defect"), "\(said.errors)")
    #expect(said.errors.contains("report it"))
  }

  @Test("a signal ends what waits for its input at once, with the status of a stop") func waiting() throws {
    let said = try Self.generateWaiting { $0.terminate() }
    #expect(said.status == 75 && said.errors.contains("stopped by a signal"), "\(said.errors)")
  }
}
