import Foundation
import Testing

/// The built `decant` executable, run as a process of its own.
struct DecantProcess {
  let process = Process()
  private let output: URL
  private let errors: URL

  /// What a finished process left.
  struct Result {
    var status: Int32
    var output: String
    var errors: String
    var wasKilled: Bool
  }

  /// It lies beside the test bundle.
  static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("decant")

  /// - Parameters:
  ///   - fileLimit: Largest file the process may write, in blocks of 512 bytes; nil is no limit.
  ///   - environment: Variables beside those of the tests.
  ///   - isWorkingFolder: Whether it runs in the folder.
  init(
    _ arguments: [String], in folder: String, fileLimit: Int? = nil, environment: [String: String] = [:],
    isWorkingFolder: Bool = false
  ) throws {
    let stem = URL(fileURLWithPath: folder).appendingPathComponent("process-\(UUID().uuidString)")
    output = stem.appendingPathExtension("out")
    errors = stem.appendingPathExtension("err")
    for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    if let fileLimit {
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "ulimit -f \(fileLimit) && exec \"$0\" \"$@\"", Self.executable.path] + arguments
    } else {
      process.executableURL = Self.executable
      process.arguments = arguments
    }
    if isWorkingFolder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
  }

  /// What it has printed on standard error.
  func errorsSoFar() throws -> String { try String(contentsOf: errors, encoding: .utf8) }

  func kill() { _ = Glibc.kill(process.processIdentifier, SIGKILL) }

  func wait() throws -> Result {
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8),
      wasKilled: process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
  }

  /// Runs to the end and expects an exit status.
  @discardableResult
  static func run(
    _ arguments: [String], in folder: String, fileLimit: Int? = nil, expecting status: Int32 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Result {
    let result = try DecantProcess(arguments, in: folder, fileLimit: fileLimit).wait()
    #expect(
      result.status == status, "decant \(arguments.joined(separator: " ")) said: \(result.errors)",
      sourceLocation: sourceLocation)
    return result
  }
}
