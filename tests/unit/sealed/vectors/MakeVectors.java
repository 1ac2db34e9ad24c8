import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.jcajce.provider.asymmetric.ec.BCECPrivateKey;
import org.bouncycastle.jcajce.provider.asymmetric.ec.BCECPublicKey;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** Writes bouncycastle.json: what BouncyCastle seals, in both orders, with and without the 04. See make.sh beside it. */
public final class MakeVectors {
    private static final byte[] SM4_KEY = "fedcba9876543210".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] HASH_KEY = "any length of key will do".getBytes(StandardCharsets.US_ASCII);
    private static final String BODY = "{\"data\":[\"_9j_4AAQSkZJRg\"],\"备注\":\"李四\"}";
    private static final String ANSWER = "{\"statusCode\":0,\"message\":{\"success\":1,\"fail\":0},\"returnObj\":"
            + "[{\"text_line\":1,\"detail\":[{\"name\":\"0\",\"text\":\"富强、民主\",\"box\":[0,0,9,0,9,9,0,9]}]}]}";

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(new ECGenParameterSpec("sm2p256v1"));
        KeyPair pair = generator.generateKeyPair();
        String encKey = Base64.getEncoder().encodeToString(pair.getPublic().getEncoded());
        Sealing sealing = new Sealing(SM4_KEY, HASH_KEY);

        List<String> requests = new ArrayList<>();
        requests.add(request("cipher SM2", sealing.seal(encKey, BODY)));
        for (SM2Engine.Mode mode : SM2Engine.Mode.values()) {
            for (int marker = 0; marker < 2; marker++) {
                Map<String, String> fields = sealing.seal(encKey, BODY);
                fields.put("ciphertextBlob", engine(mode, marker, pair, SM4_KEY));
                fields.put("encryptedHashKey", engine(mode, marker, pair, HASH_KEY));
                fields.put("ciphertextBlobHash", sealing.hash(fields.get("ciphertextBlob")));
                requests.add(request(mode + (marker == 0 ? " with 04" : " without 04"), fields));
            }
        }
        javax.crypto.Cipher cipher = javax.crypto.Cipher.getInstance("SM4/ECB/PKCS5Padding", "BC");
        cipher.init(javax.crypto.Cipher.ENCRYPT_MODE, new javax.crypto.spec.SecretKeySpec(SM4_KEY, "SM4"));
        String result = Base64.getEncoder().encodeToString(cipher.doFinal(ANSWER.getBytes(StandardCharsets.UTF_8)));

        System.out.println("{");
        System.out.println("  \"made_by\": " + quoted("BouncyCastle " + Security.getProvider("BC").getVersionStr()) + ",");
        System.out.println("  \"private_key_hex\": " + quoted(String.format("%064x", ((BCECPrivateKey) pair.getPrivate()).getD())) + ",");
        System.out.println("  \"public_key\": " + quoted(encKey) + ",");
        System.out.println("  \"sm4_key\": " + quoted(new String(SM4_KEY)) + ",");
        System.out.println("  \"hash_key\": " + quoted(new String(HASH_KEY)) + ",");
        System.out.println("  \"body\": " + quoted(BODY) + ",");
        System.out.println("  \"requests\": [\n" + String.join(",\n", requests) + "\n  ],");
        System.out.println("  \"answer\": " + quoted(ANSWER) + ",");
        System.out.println("  \"sealed_answer\": {\"encryptedResult\": " + quoted(result)
                + ", \"encryptedResultHash\": " + quoted(sealing.hash(result)) + "}");
        System.out.println("}");
    }

    private static String engine(SM2Engine.Mode mode, int skip, KeyPair pair, byte[] data) throws Exception {
        BCECPublicKey key = (BCECPublicKey) pair.getPublic();
        ECDomainParameters domain = new ECDomainParameters(
                key.getParameters().getCurve(), key.getParameters().getG(), key.getParameters().getN());
        SM2Engine engine = new SM2Engine(mode);
        engine.init(true, new ParametersWithRandom(new ECPublicKeyParameters(key.getQ(), domain)));
        byte[] sealed = engine.processBlock(data, 0, data.length);
        return Base64.getEncoder().encodeToString(java.util.Arrays.copyOfRange(sealed, skip, sealed.length));
    }

    private static String request(String note, Map<String, String> fields) {
        return fields.entrySet().stream()
                .map(e -> "      " + quoted(e.getKey()) + ": " + quoted(e.getValue()))
                .collect(Collectors.joining(",\n", "    {\n      \"note\": " + quoted(note) + ",\n", "\n    }"));
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\"", "\\\"") + "\"";
    }
}
