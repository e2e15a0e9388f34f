// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/isa/llvm/module.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include <llvm/ADT/SmallString.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrDesc.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#if LLVM_VERSION_MAJOR >= 17
#include <llvm/TargetParser/Triple.h>
#else
#include <llvm/ADT/Triple.h>
#endif

struct tcgrr_llvm_decoder {
    llvm::Triple triple;
    llvm::MCTargetOptions options;
    std::unique_ptr<const llvm::MCRegisterInfo> registers;
    std::unique_ptr<const llvm::MCAsmInfo> assembly;
    std::unique_ptr<const llvm::MCSubtargetInfo> machine;
    std::unique_ptr<const llvm::MCInstrInfo> insns;
    std::unique_ptr<llvm::MCContext> context;
    std::unique_ptr<const llvm::MCDisassembler> disassembler;
    std::unique_ptr<llvm::MCInstPrinter> printer;
};

// A list of all features, as LLVM takes it. LLVM 14 does not tell them: those of AArch64, the one target that asks.
static std::string all_features(const llvm::Target *target, const std::string &triple)
{
#if LLVM_VERSION_MAJOR >= 15
    std::unique_ptr<const llvm::MCSubtargetInfo> machine(target->createMCSubtargetInfo(triple, "", ""));
    std::string list;

    if (machine) {
        for (const llvm::SubtargetFeatureKV &feature : machine->getAllProcessorFeatures()) {
            list += std::string(list.empty() ? "+" : ",+") + feature.Key;
        }
    }
    return list;
#else
    return "+v9.2a,+sme,+sme-f64,+sme-i64,+sve2,+sve2-bitperm,+sve2-aes,+sve2-sha3,+sve2-sm4,+fullfp16,+fp16fml,"
           "+crypto,+mte,+rand,+lse";
#endif
}

static bool prepare(tcgrr_llvm_decoder *decoder, const std::string &triple, const char *cpu, const char *features)
{
    std::string problem;
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, problem);

    if (!target) {
        return false;
    }
    decoder->triple = llvm::Triple(triple);
    decoder->registers.reset(target->createMCRegInfo(triple));
    decoder->assembly.reset(decoder->registers ? target->createMCAsmInfo(*decoder->registers, triple, decoder->options)
                                               : nullptr);
    decoder->machine.reset(target->createMCSubtargetInfo(
        triple, cpu, strcmp(features, TCGRR_LLVM_ALL_FEATURES) == 0 ? all_features(target, triple) : features));
    decoder->insns.reset(target->createMCInstrInfo());
    if (!decoder->registers || !decoder->assembly || !decoder->machine || !decoder->insns) {
        return false;
    }
    decoder->context.reset(new llvm::MCContext(decoder->triple, decoder->assembly.get(), decoder->registers.get(),
                                               decoder->machine.get()));
    decoder->disassembler.reset(target->createMCDisassembler(*decoder->machine, *decoder->context));
    decoder->printer.reset(target->createMCInstPrinter(decoder->triple, decoder->assembly->getAssemblerDialect(),
                                                       *decoder->assembly, *decoder->insns, *decoder->registers));
    return decoder->disassembler && decoder->printer;
}

static tcgrr_llvm_decoder *open_decoder(const char *triple, const char *cpu, const char *features)
{
    static std::once_flag once;
    std::call_once(once, [] {
        llvm::InitializeAllTargetInfos();
        llvm::InitializeAllTargetMCs();
        llvm::InitializeAllDisassemblers();
    });
    auto decoder = std::make_unique<tcgrr_llvm_decoder>();
    if (!prepare(decoder.get(), llvm::Triple::normalize(triple), cpu, features)) {
        return nullptr;
    }
    decoder->printer->setPrintImmHex(true);
    return decoder.release();
}

static void close_decoder(tcgrr_llvm_decoder *decoder)
{
    delete decoder;
}

// The text as it stands in one line: LLVM begins with a tab and puts tabs between.
static void print(tcgrr_llvm_decoder *decoder, const llvm::MCInst &inst, uint64_t pc, char *out, size_t size)
{
    llvm::SmallString<128> text;
    llvm::raw_svector_ostream stream(text);
    size_t length = 0;

    decoder->printer->printInst(&inst, pc, "", *decoder->machine, stream);
    for (char letter : text) {
        bool space = letter == '\t' || letter == '\n' || letter == ' ';
        if ((space && (length == 0 || out[length - 1] == ' ')) || length + 1 >= size) {
            continue;
        }
        out[length++] = space ? ' ' : letter;
    }
    out[length > 0 && out[length - 1] == ' ' ? length - 1 : length] = '\0';
}

static uint32_t properties_of(const llvm::MCInstrDesc &desc)
{
    const struct {
        bool has;
        uint32_t property;
    } all[] = {
        {desc.mayLoad(), TCGRR_LLVM_LOADS},
        {desc.mayStore(), TCGRR_LLVM_STORES},
        {desc.isCall(), TCGRR_LLVM_CALL},
        {desc.isReturn(), TCGRR_LLVM_RETURN},
        {desc.isBranch(), TCGRR_LLVM_BRANCH},
        {desc.isConditionalBranch(), TCGRR_LLVM_CONDITIONAL},
        {desc.hasUnmodeledSideEffects(), TCGRR_LLVM_EFFECTS},
    };
    uint32_t properties = 0;

    for (const auto &one : all) {
        properties |= one.has ? one.property : 0;
    }
    return properties;
}

// Hands a register over: itself, else what it is a part of, else its parts.
static void give(const tcgrr_llvm_decoder *decoder, unsigned reg, unsigned access, tcgrr_llvm_take take, void *data)
{
    const llvm::MCRegisterInfo &registers = *decoder->registers;
    bool taken = false;

    if (reg == 0 || take(registers.getName(reg), access, false, data)) {
        return;
    }
    for (llvm::MCSuperRegIterator whole(reg, &registers); whole.isValid() && !taken; ++whole) {
        taken = take(registers.getName(*whole), access, false, data);
    }
    bool whole_taken = taken;
    for (llvm::MCSubRegIterator part(reg, &registers); part.isValid() && !whole_taken; ++part) {
        taken = take(registers.getName(*part), access, false, data) || taken;
    }
    if (!taken) {
        take(registers.getName(reg), access, true, data);
    }
}

static void give_implicit(const tcgrr_llvm_decoder *decoder, const llvm::MCInstrDesc &desc, tcgrr_llvm_take take,
                          void *data)
{
#if LLVM_VERSION_MAJOR >= 17
    for (unsigned reg : desc.implicit_uses()) {
        give(decoder, reg, TCGRR_LLVM_READS, take, data);
    }
    for (unsigned reg : desc.implicit_defs()) {
        give(decoder, reg, TCGRR_LLVM_WRITES, take, data);
    }
#else
    for (const uint16_t *reg = desc.getImplicitUses(); reg && *reg; reg++) {
        give(decoder, *reg, TCGRR_LLVM_READS, take, data);
    }
    for (const uint16_t *reg = desc.getImplicitDefs(); reg && *reg; reg++) {
        give(decoder, *reg, TCGRR_LLVM_WRITES, take, data);
    }
#endif
}

static const llvm::MCOperandInfo *operand_info(const llvm::MCInstrDesc &desc, unsigned index)
{
#if LLVM_VERSION_MAJOR >= 16
    return index < desc.getNumOperands() ? &desc.operands()[index] : nullptr;
#else
    return index < desc.getNumOperands() ? &desc.OpInfo[index] : nullptr;
#endif
}

// Whether the instruction has all operands that it is described with, but for those that are another one read: LLVM
// decodes some that lack more, and reading or printing them would go past their end. Only the last of a call, a symbol
// that assemblers may be given, is left out by rights.
static bool is_complete(const llvm::MCInst &inst, const llvm::MCInstrDesc &desc)
{
    if (desc.isCall() && inst.getNumOperands() + 1 == desc.getNumOperands()) {
        return true;
    }
    for (unsigned i = inst.getNumOperands(); i < desc.getNumOperands(); i++) {
        int tied = desc.getOperandConstraint(i, llvm::MCOI::TIED_TO);
        if (tied < 0 || (unsigned)tied >= inst.getNumOperands()) {
            return false;
        }
    }
    return true;
}

static void give_all(const tcgrr_llvm_decoder *decoder, const llvm::MCInst &inst, const llvm::MCInstrDesc &desc,
                     tcgrr_llvm_take take, void *data)
{
    for (unsigned i = 0; i < inst.getNumOperands(); i++) {
        const llvm::MCOperandInfo *info = operand_info(desc, i);
        if (!inst.getOperand(i).isReg()) {
            continue;
        }
        bool written = i < desc.getNumDefs() || (info && info->isOptionalDef());
        bool address = info && info->OperandType == llvm::MCOI::OPERAND_MEMORY;
        give(decoder, inst.getOperand(i).getReg(),
             written   ? (unsigned)TCGRR_LLVM_WRITES
             : address ? TCGRR_LLVM_READS | TCGRR_LLVM_ADDRESS
                       : (unsigned)TCGRR_LLVM_READS,
             take, data);
    }
    for (unsigned i = inst.getNumOperands(); i < desc.getNumOperands(); i++) {
        int tied = desc.getOperandConstraint(i, llvm::MCOI::TIED_TO);
        if (tied >= 0 && inst.getOperand((unsigned)tied).isReg()) {
            give(decoder, inst.getOperand((unsigned)tied).getReg(), TCGRR_LLVM_READS, take, data);
        }
    }
    give_implicit(decoder, desc, take, data);
}

static bool decode(tcgrr_llvm_decoder *decoder, uint64_t pc, const uint8_t *bytes, size_t length, tcgrr_llvm_insn *insn,
                   tcgrr_llvm_take take, void *data)
{
    llvm::MCInst inst;
    uint64_t size = 0;
    auto status =
        decoder->disassembler->getInstruction(inst, size, llvm::ArrayRef<uint8_t>(bytes, length), pc, llvm::nulls());
    const llvm::MCInstrDesc &desc = decoder->insns->get(inst.getOpcode());
    if (status == llvm::MCDisassembler::Fail || size != length || !is_complete(inst, desc)) {
        return false;
    }
    insn->name = decoder->insns->getName(inst.getOpcode()).data();
    insn->properties = properties_of(desc);
    print(decoder, inst, pc, insn->text, sizeof(insn->text));
    if (take) {
        give_all(decoder, inst, desc, take, data);
    }
    return true;
}

extern "C" __attribute__((visibility("default"))) const tcgrr_llvm_module tcgrr_llvm_module;
const struct tcgrr_llvm_module tcgrr_llvm_module = {TCGRR_LLVM_MODULE_VERSION, open_decoder, close_decoder, decode};
