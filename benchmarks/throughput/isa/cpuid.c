/* Answers the CPUID instructions of a patched library, with instruction sets hidden (see masking.py).

The library's CPUID instructions were replaced by UD1, which raises SIGILL. The handler runs CPUID in its place and
clears the bits of HIDE_EBX7, HIDE_ECX7 and HIDE_EDX7 (leaf 7), HIDE_EAX71 and HIDE_EDX71 (leaf 7, subleaf 1), numbers
in the environment. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

static unsigned hide_ebx7, hide_ecx7, hide_edx7, hide_eax71, hide_edx71;

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
    unsigned eax, ebx, ecx, edx;
    (void)info;
    if (instruction[0] != 0x0f || instruction[1] != 0xb9) { /* not ours */
        signal(number, SIG_DFL);
        return;
    }
    __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
    if (leaf == 7 && subleaf == 0) {
        ebx &= ~hide_ebx7;
        ecx &= ~hide_ecx7;
        edx &= ~hide_edx7;
    } else if (leaf == 7 && subleaf == 1) {
        eax &= ~hide_eax71;
        edx &= ~hide_edx71;
    }
    registers[REG_RAX] = eax;
    registers[REG_RBX] = ebx;
    registers[REG_RCX] = ecx;
    registers[REG_RDX] = edx;
    registers[REG_RIP] += 2;
}

static unsigned number_from(const char *name) {
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 0) : 0;
}

__attribute__((constructor)) static void install(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    hide_ebx7 = number_from("HIDE_EBX7");
    hide_ecx7 = number_from("HIDE_ECX7");
    hide_edx7 = number_from("HIDE_EDX7");
    hide_eax71 = number_from("HIDE_EAX71");
    hide_edx71 = number_from("HIDE_EDX71");
    sigaction(SIGILL, &action, NULL);
}
