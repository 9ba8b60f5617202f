import Files
import Glibc

/// Scalars for TensorBoard: an event file, which is a TFRecord file of `tensorflow.Event` messages.
///
/// Field numbers are those of tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
public final class EventFile {
  private let file: AppendingFile
  private let wallTime: () -> Double
  /// Where the file lies.
  public let path: String

  /// Makes a new event file in a folder, made where missing; TensorBoard joins all files of a folder.
  ///
  /// - Parameters:
  ///   - step: For a run that resumes, the step of its checkpoint: TensorBoard then forgets what the files
  ///     before this one say about later steps.
  ///   - wallTime: Seconds since 1970, for the time axis.
  public init(
    folder: String, resumingAfter step: Int? = nil, wallTime: @escaping () -> Double = EventFile.secondsSince1970
  ) throws {
    try File.makeFolder(folder)
    // TensorBoard reads the files of a folder in the order of their names, so the time comes first.
    let stem = "\(folder)/events.out.tfevents.\(Int(wallTime())).decant.\(getpid())"
    var number = 0
    while File.exists("\(stem).\(number)") { number += 1 }
    path = "\(stem).\(number)"
    file = try AppendingFile(path: path)
    self.wallTime = wallTime
    try append(step: nil) { $0.string(3, "brain.Event:2") }  // file_version
    if let step {
      let started = ProtocolMessage { $0.integer(1, 1) }  // SessionLog.status = START
      try append(step: step + 1) { $0.message(7, started) }  // session_log
    }
  }

  /// Appends scalars of one step, such as `("train/loss", 1.93)`.
  public func append(step: Int, _ scalars: [(tag: String, value: Double)]) throws {
    let values = scalars.map { scalar in
      ProtocolMessage { value in
        value.string(1, scalar.tag)
        value.float(2, Float(scalar.value))  // simple_value
      }
    }
    try append(step: step) { event in
      event.message(5, ProtocolMessage { summary in for value in values { summary.message(1, value) } })
    }
  }

  /// Makes the events so far durable.
  public func synchronize() throws { try file.synchronize() }

  /// The time of day.
  public static let secondsSince1970: @Sendable () -> Double = {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func append(step: Int?, _ what: (inout ProtocolMessage) -> Void) throws {
    let event = ProtocolMessage { event in
      event.double(1, wallTime())
      if let step { event.integer(2, step) }
      what(&event)
    }
    try file.append(TFRecord.frame(event.bytes))
  }
}
