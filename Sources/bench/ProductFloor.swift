import RandomStreams
import Tensor

/// The matrix products of a model's work alone, in the order the work calls them and on weights of as many bytes: what
/// the work would cost if everything else were free.
struct ProductFloor {
  /// Gradients take twice the products of the forward pass: one for the inputs, one for the weights.
  enum Direction: Int, CaseIterable { case forward, inputGradient, weightGradient }

  private let products: [MatrixProduct]
  private let kinds: Int
  private let tokens: Int
  /// How often all products are run to make one timing.
  private let passes: Int
  private let paths: [ProductPath]

  /// - Parameters:
  ///   - rows: Rows of the activations, all of which go through the head.
  ///   - training: Whether gradients are computed.
  ///   - passes: How often all products are run to make one timing, where one run is too short to be timed.
  ///   - laidOut: Whether the work lays out its weights once, as decoding does.
  init(
    _ shape: ModelShape, rows: Int, training: Bool, passes: Int = 1, precision: Precision, laidOut: Bool = false
  ) {
    let layers = ProductLayers(shape, rows: rows, training: training, laidOut: laidOut ? precision : nil)
    products =
      layers.all.flatMap { $0.products([.forward]) }
      + (training ? layers.all.reversed().flatMap { $0.products([.inputGradient, .weightGradient]) } : [])
    kinds = (shape.blockWeights.count + 1) * Direction.allCases.count
    tokens = rows * passes
    self.passes = passes
    paths = ProductPath.all(precision) + (laidOut ? [.laidOut(precision)] : [])
  }

  /// Tokens per second through each path, and as the floor through the fastest path of each kind of product.
  func measure(_ work: String, named name: String, _ watch: Stopwatch) -> [Measurement] {
    let seconds = paths.map { self.seconds(through: $0, watch) }
    func rate(_ name: String, _ seconds: [Double]) -> Measurement {
      Measurement(name: name, value: Double(tokens) / seconds.reduce(0, +), unit: "tokens/s")
    }
    var found = zip(paths, seconds).map { rate("matrix products of \(name), \($0.name)", $1) }
    let fastest = (0..<kinds).map { kind in seconds.map { $0[kind] }.min() ?? 0 }
    var floor = rate("GEMM floor of \(name)", fastest)
    floor.floorOf = work
    found.append(floor)
    return found
  }

  /// Seconds spent on each kind of product: medians of the repeats.
  private func seconds(through path: ProductPath, _ watch: Stopwatch) -> [Double] {
    _ = secondsOnce(through: path)
    let repeats = (0..<watch.repeats).map { _ in secondsOnce(through: path) }
    return (0..<kinds).map { kind in Stopwatch.median(repeats.map { $0[kind] }) }
  }

  private func secondsOnce(through path: ProductPath) -> [Double] {
    var seconds = [Double](repeating: 0, count: kinds)
    for _ in 0..<passes {
      for product in products { seconds[product.kind] += Stopwatch.time { path.run(product) } }
    }
    return seconds
  }
}

/// The linear layers of a model with their operands, in forward order.
private struct ProductLayers {
  private(set) var all: [LinearOperands] = []

  /// Each weight, and each weight's gradient, has memory of its own, so that it comes from where the work finds it;
  /// activations of one shape share theirs.
  init(_ shape: ModelShape, rows: Int, training: Bool, laidOut: Precision?) {
    let noise = NormalNoise()
    let inputs = [
      shape.hidden: noise.tensor([rows, shape.hidden]), 4 * shape.hidden: noise.tensor([rows, 4 * shape.hidden]),
    ]
    let inputGradients = training ? inputs.mapValues { Storage(shape: $0.shape).tensor } : [:]
    let outputs = shape.blockWeights.map { Storage(shape: [rows, $0.outputs]).tensor }
    func add(_ weight: Tensor, inputs count: Int, output: Tensor, kind: Int, outputByInput: Bool) {
      all.append(
        LinearOperands(
          input: inputs[count]!, weight: weight, output: output, inputGradient: inputGradients[count],
          weightGradient: training ? Storage(shape: weight.shape).tensor : nil,
          laidOut: laidOut.map { PackedMatrix(.fp32(weight), transposed: outputByInput, precision: $0) },
          outputByInput: outputByInput, kind: kind
        ))
    }
    for _ in 0..<shape.layers {
      for (kind, weight) in shape.blockWeights.enumerated() {
        add(
          noise.tensor([weight.inputs, weight.outputs]), inputs: weight.inputs, output: outputs[kind], kind: kind,
          outputByInput: false)
      }
    }
    add(
      noise.tensor([shape.vocabulary, shape.hidden]), inputs: shape.hidden,
      output: Storage(shape: [rows, shape.vocabulary]).tensor, kind: outputs.count, outputByInput: true)
  }
}

/// One linear layer's operands. Its output stands in for the output's gradient: it holds numbers as good as any.
private struct LinearOperands {
  var input: Tensor
  var weight: Tensor
  var output: Tensor
  var inputGradient: Tensor?
  var weightGradient: Tensor?
  var laidOut: PackedMatrix?
  /// Whether the weight lies as `[outputs, inputs]`, as the head does.
  var outputByInput: Bool
  var kind: Int

  func products(_ directions: [ProductFloor.Direction]) -> [MatrixProduct] {
    directions.map { direction in
      let kind = kind * ProductFloor.Direction.allCases.count + direction.rawValue
      switch direction {
      case .forward:
        return MatrixProduct(a: input, b: weight, transposeB: outputByInput, c: output, laidOut: laidOut, kind: kind)
      case .inputGradient:
        return MatrixProduct(a: output, b: weight, transposeB: !outputByInput, c: inputGradient!, kind: kind)
      case .weightGradient:
        let (a, b) = outputByInput ? (output, input) : (input, output)
        return MatrixProduct(a: a, transposeA: true, b: b, c: weightGradient!, accumulate: true, kind: kind)
      }
    }
  }
}

/// Normally distributed numbers in any amount: a table of them, laid end to end.
private struct NormalNoise {
  private let table: Tensor

  init() {
    table = Storage(shape: [1 << 20, 1]).tensor
    var stream = RandomStream(seed: 3, name: "matrix products")
    table.fillNormal(standardDeviation: 1, &stream)
  }

  func tensor(_ shape: [Int]) -> Tensor {
    let tensor = Storage(shape: shape).tensor
    let column = tensor.reshaped([tensor.count, 1])
    for start in stride(from: 0, to: tensor.count, by: table.count) {
      let end = min(start + table.count, tensor.count)
      column.rows(start..<end).copy(from: table.rows(0..<end - start))
    }
    return tensor
  }
}
