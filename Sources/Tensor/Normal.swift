import Glibc
public import RandomStreams

extension Tensor {
  /// Overwrites all elements with draws from a normal distribution of mean 0 (Box and Muller; one pair of draws gives
  /// two values).
  public func fillNormal(standardDeviation: Float, _ stream: inout RandomStream) {
    let elements = unsafe elements
    for i in stride(from: 0, to: count, by: 2) {
      let radius = (-2 * log(1 - stream.uniformDouble())).squareRoot() * Double(standardDeviation)
      let angle = 2 * Double.pi * stream.uniformDouble()
      unsafe elements[i] = Float(radius * cos(angle))
      if i + 1 < count { unsafe elements[i + 1] = Float(radius * sin(angle)) }
    }
  }
}
