// A design compiled by Verilator. Only what Python declared public when it was compiled has a name.
#pragma once

#include "Vmodel.h"
#include "verilated.h"
#include "verilated_syms.h"
#if defined(MODEL_FST)
#include "verilated_fst_c.h"
using Recorder = VerilatedFstC;
#elif defined(MODEL_VCD)
#include "verilated_vcd_c.h"
using Recorder = VerilatedVcdC;
#endif

class Model {
public:
  Model() : context(new VerilatedContext) {
#if defined(MODEL_FST) || defined(MODEL_VCD)
    context->traceEverOn(true);
#endif
    top.reset(new Vmodel(context.get()));
    // In ascending order: the ports, in TOP, come before their namesakes further down.
    for (const auto &[path, scope] : *context->scopeNameMap()) {
      if (scope->varsp() == nullptr) continue;
      for (const auto &[name, var] : *scope->varsp()) {
        Words words;
        words.bytes = static_cast<uint8_t *>(var.datap());
        words.width = var.packed().elements();
        words.depth = var.udims() ? var.unpacked().elements() : 1;
        words.stride = var.totalSize() / words.depth;
        named.emplace(name, words);
      }
    }
  }

  ~Model() {
#if defined(MODEL_FST) || defined(MODEL_VCD)
    if (recorder) recorder->close();
#endif
    top->final();
  }

  Words at(const std::string &name) const {
    const auto found = named.find(name);
    if (found == named.end()) fail("the compiled design has no public " + name);
    return found->second;
  }

  void eval() {
    top->eval();
#if defined(MODEL_FST) || defined(MODEL_VCD)
    if (recorder) recorder->dump(time);
    time += 5;
#endif
  }

  void record(const std::string &path) {
#if defined(MODEL_FST) || defined(MODEL_VCD)
    recorder.reset(new Recorder);
    top->trace(recorder.get(), 99);
    recorder->open(path.c_str());
    if (!recorder->isOpen()) fail("waveform " + path + " cannot be written");
#else
    fail("compiled without waveforms, so " + path + " cannot be written");
#endif
  }

private:
  std::unique_ptr<VerilatedContext> context;
  std::unique_ptr<Vmodel> top;
  std::map<std::string, Words> named;
#if defined(MODEL_FST) || defined(MODEL_VCD)
  std::unique_ptr<Recorder> recorder;
  uint64_t time = 0;
#endif
};
