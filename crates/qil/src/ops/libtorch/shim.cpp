// Operators that torch-sys leaves out because their masks are arrays of booleans.
//
// Every function returns null, or why it failed: a text for bitsweep_free.

#include <ATen/core/Tensor.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <exception>

namespace {

template <typename Body>
char *guarded(Body body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("LibTorch threw something that is no exception");
  }
}

at::Tensor *given(at::Tensor tensor) {
  return tensor.defined() ? new at::Tensor(std::move(tensor)) : nullptr;
}

} // namespace

extern "C" {

void bitsweep_free(char *text) { free(text); }

const char *bitsweep_torch_version() { return TORCH_VERSION; }

char *bitsweep_convolution_backward(const at::Tensor *upstream, const at::Tensor *input,
                                    const at::Tensor *weights, int64_t stride, int64_t padding,
                                    bool input_wanted, bool weights_wanted,
                                    at::Tensor **by_input, at::Tensor **by_weights) {
  return guarded([&] {
    auto gradients = at::convolution_backward(
        *upstream, *input, *weights, c10::nullopt, {stride, stride}, {padding, padding}, {1, 1},
        /*transposed=*/false, {0, 0}, /*groups=*/1, {input_wanted, weights_wanted, false});
    *by_input = given(std::get<0>(gradients));
    *by_weights = given(std::get<1>(gradients));
  });
}

char *bitsweep_batch_norm_backward(const at::Tensor *upstream, const at::Tensor *input,
                                   const at::Tensor *scale, const at::Tensor *mean,
                                   const at::Tensor *inverse_deviation, double epsilon,
                                   at::Tensor **by_input, at::Tensor **by_scale,
                                   at::Tensor **by_shift) {
  return guarded([&] {
    auto gradients = at::native_batch_norm_backward(
        *upstream, *input, *scale, /*running_mean=*/{}, /*running_var=*/{}, *mean,
        *inverse_deviation, /*train=*/true, epsilon, {true, true, true});
    *by_input = given(std::get<0>(gradients));
    *by_scale = given(std::get<1>(gradients));
    *by_shift = given(std::get<2>(gradients));
  });
}
}
