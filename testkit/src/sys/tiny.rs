//! Machine code of the smallest program that sends: no loader, no library, one page.
//!
//! The code only is taken from here; [`crate::tiny`] makes executables of it. It finds its
//! parameters behind its own end.

/// Where the parameters lie, in bytes from the end of the code: an Internet address of 16 bytes
/// in the kernel's form, then these two numbers of four bytes each.
#[cfg(target_arch = "x86_64")]
mod code {
    std::arch::global_asm!(
        ".pushsection .rodata.fs_tiny,\"a\",@progbits",
        ".globl fs_tiny_start, fs_tiny_end",
        ".hidden fs_tiny_start, fs_tiny_end",
        ".balign 8",
        "fs_tiny_start:",
        "20:",
        "    mov r12, rsp", // argc, argv, NULL, envp
        "    lea r13, [rip + 29f]",
        "    test dword ptr [r13 + 20], 1",
        "    jz 21f",
        "    mov rdi, [r12 + 8]", // unlink(argv[0])
        "    mov eax, 87",
        "    syscall",
        "    test rax, rax",
        "    jnz 27f",
        "21:",
        "    test dword ptr [r13 + 20], 2",
        "    jnz 24f",
        "    mov edi, 2", // socket(AF_INET, SOCK_DGRAM, 0)
        "    mov esi, 2",
        "    xor edx, edx",
        "    mov eax, 41",
        "    syscall",
        "    test eax, eax",
        "    js 27f",
        "    mov ebx, eax",
        "22:",
        "    mov edi, ebx", // sendto(socket, own code, length, 0, address, 16)
        "    lea rsi, [rip + 20b]",
        "    mov edx, [r13 + 16]",
        "    xor r10d, r10d",
        "    mov r8, r13",
        "    mov r9d, 16",
        "    mov eax, 44",
        "    syscall",
        "    cmp eax, [r13 + 16]",
        "    jne 27f",
        "    xor edi, edi", // again for every byte of standard input
        "    lea rsi, [rsp - 64]",
        "    mov edx, 1",
        "    xor eax, eax",
        "    syscall",
        "    cmp eax, 1",
        "    je 22b",
        "    xor edi, edi",
        "23:",
        "    mov eax, 231", // exit_group
        "    syscall",
        "24:",
        "    mov eax, 57", // fork; execve(argv[1], argv + 1, envp) in the child
        "    syscall",
        "    test eax, eax",
        "    js 27f",
        "    jnz 25f",
        "    mov rdi, [r12 + 16]",
        "    lea rsi, [r12 + 16]",
        "    mov rcx, [r12]",
        "    lea rdx, [r12 + rcx*8 + 16]",
        "    mov eax, 59",
        "    syscall",
        "    jmp 27f",
        "25:",
        "    mov rdi, -1", // wait4(-1, status, 0, NULL); its exit code
        "    sub rsp, 16",
        "    mov rsi, rsp",
        "    xor edx, edx",
        "    xor r10d, r10d",
        "    mov eax, 61",
        "    syscall",
        "    movzx edi, byte ptr [rsp + 1]",
        "    or dil, [rsp]",
        "    jmp 23b",
        "27:",
        "    mov edi, 1",
        "    jmp 23b",
        ".balign 8",
        "29:",
        "fs_tiny_end:",
        ".popsection",
    );

    unsafe extern "C" {
        static fs_tiny_start: u8;
        static fs_tiny_end: u8;
    }

    pub(super) fn bytes() -> &'static [u8] {
        let (start, end) = (&raw const fs_tiny_start, &raw const fs_tiny_end);
        let length = end.addr() - start.addr();
        // SAFETY: both names are in one read-only section, the second behind the first, and what
        // lies between is never written.
        unsafe { std::slice::from_raw_parts(start, length) }
    }
}

/// The code, where there is one for this processor.
#[must_use]
pub fn code() -> Option<&'static [u8]> {
    #[cfg(target_arch = "x86_64")]
    return Some(code::bytes());
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}
