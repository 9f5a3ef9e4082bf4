//! The keys of RFC 9001 §A.1 and RFC 9369 §A.1.

use super::keys::{Secrets, Version};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_of_the_standards() {
    let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
    let derived = |version| {
        let secrets = Secrets::derive(version, &id).unwrap();
        [hex(&secrets.key), hex(&secrets.iv), hex(&secrets.header)]
    };
    assert_eq!(
        derived(Version::One),
        [
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        ]
    );
    assert_eq!(
        derived(Version::Two),
        [
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        ]
    );
}
