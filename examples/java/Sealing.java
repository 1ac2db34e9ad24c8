import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** 接口加密(手册 6.2.4)。Interface encryption: one instance for one request and its answer. */
final class Sealing {
    static {
        Security.addProvider(new BouncyCastleProvider());
    }

    private final byte[] sm4Key;
    private final byte[] hashKey;

    Sealing() {
        this(random(16), random(16));
    }

    Sealing(byte[] sm4Key, byte[] hashKey) {
        this.sm4Key = sm4Key;
        this.hashKey = hashKey;
    }

    /** The five fields of an encrypted body. {@code encKey} is the app's SM2 public key as the console shows it. */
    Map<String, String> seal(String encKey, String body) throws GeneralSecurityException {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("ciphertextBlob", text(sm2(encKey, sm4Key)));
        fields.put("encryptedBody", text(sm4(Cipher.ENCRYPT_MODE, body.getBytes(StandardCharsets.UTF_8))));
        fields.put("encryptedHashKey", text(sm2(encKey, hashKey)));
        fields.put("ciphertextBlobHash", hash(fields.get("ciphertextBlob")));
        fields.put("encryptedBodyHash", hash(fields.get("encryptedBody")));
        return fields;
    }

    /** The decrypted JSON of an answer. */
    String open(String encryptedResult, String encryptedResultHash) throws GeneralSecurityException {
        if (!hash(encryptedResult).equals(encryptedResultHash)) {
            throw new GeneralSecurityException("encryptedResult does not match its hash");
        }
        byte[] plain = sm4(Cipher.DECRYPT_MODE, Base64.getDecoder().decode(encryptedResult));
        return new String(plain, StandardCharsets.UTF_8);
    }

    /** BouncyCastle's cipher "SM2" writes 04, C1, C2, C3. The service takes C1C3C2 as well. */
    private static byte[] sm2(String encKey, byte[] data) throws GeneralSecurityException {
        PublicKey key = KeyFactory.getInstance("EC", "BC")
                .generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(encKey)));
        Cipher cipher = Cipher.getInstance("SM2", "BC");
        cipher.init(Cipher.ENCRYPT_MODE, key);
        return cipher.doFinal(data);
    }

    private byte[] sm4(int mode, byte[] data) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("SM4/ECB/PKCS5Padding", "BC");
        cipher.init(mode, new SecretKeySpec(sm4Key, "SM4"));
        return cipher.doFinal(data);
    }

    /** The hash covers the base64 text of a field, not the decoded bytes. */
    String hash(String field) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HMACSM3", "BC");
        mac.init(new SecretKeySpec(hashKey, "HMACSM3"));
        return text(mac.doFinal(field.getBytes(StandardCharsets.US_ASCII)));
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new SecureRandom().nextBytes(bytes);
        return bytes;
    }

    private static String text(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }
}
